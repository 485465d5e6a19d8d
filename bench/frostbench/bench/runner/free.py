"""Predictions of the controls that need no method."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from frostbench.bench.runner.rows import Predict
from frostbench.plugins.contract.predictions import Prediction
from frostbench.plugins.contract.task import Instance, Task
from frostbench.plugins.contract.validity import check_prediction
from frostbench.plugins.host.containment import Call, contain
from frostbench.plugins.host.errors import describe, text_of


class NotMadeError(LookupError):
    """A task names a control and does not make it."""


def free_predictions(
    task: Task, free: Mapping[str, Predict | None], instances: Sequence[Instance]
) -> dict[str, list[Prediction | str]]:
    """By control, a prediction for each instance, or a clause that says why there is none."""
    made: Mapping[str, Any] | str = {}
    if None in free.values():
        try:
            made = contain(Call("task", task.card.name, "controls"), task.controls, instances)
        except Exception as error:  # a plugin's code: its failure is a result
            made = describe(error)
    found = {}
    for name, predict in free.items():
        if predict is not None:
            found[name] = _each(Call("control", name, "predict"), predict, instances)
        elif isinstance(made, str):
            found[name] = [made] * len(instances)
        else:
            of_task = Call("task", task.card.name, "controls")
            found[name] = _each(of_task, partial(_of_task, made, name), instances)
    return found


def _of_task(made: Mapping[str, Any], name: str, instances: Sequence[Instance]) -> Any:
    if name not in made:
        raise NotMadeError("the task makes no such control")
    return made[name]


def _each(
    call: Call, predict: Callable[[Sequence[Instance]], Any], instances: Sequence[Instance]
) -> list[Prediction | str]:
    try:
        several = contain(call, lambda: list(predict(instances)))
    except NotMadeError as error:
        return [str(error)] * len(instances)
    except Exception as error:  # a plugin's code: its failure is a result
        return [describe(error)] * len(instances)
    if len(several) != len(instances):
        who = "the task" if call.kind == "task" else "it"
        short = f"{who} made {len(several)} predictions of {len(instances)} instances"
        return [short] * len(instances)
    return [_checked(call, *pair) for pair in zip(several, instances, strict=True)]


def _checked(call: Call, prediction: Any, instance: Instance) -> Prediction | str:
    try:
        contain(call, check_prediction, prediction, instance.request)
    except (TypeError, ValueError) as error:
        return text_of(error)
    except Exception as error:  # an object that only looks like a prediction
        return describe(error)
    made: Prediction = prediction
    return made
