"""Controls that need no method: their predictions, or why there are none."""

from collections.abc import Mapping, Sequence
from typing import Any

from frostbench.bench.runner.rows import Predict
from frostbench.plugins.contract.predictions import Prediction
from frostbench.plugins.contract.task import Instance, Task
from frostbench.plugins.contract.validity import check_prediction
from frostbench.plugins.host.errors import describe


def free_predictions(
    task: Task, free: Mapping[str, Predict | None], instances: Sequence[Instance]
) -> dict[str, list[Prediction | str]]:
    """By control, for each instance a prediction or a clause that says why there is none."""
    made: Mapping[str, Any] = dict.fromkeys(free, "the task makes no such control")
    if None in free.values():
        try:
            made = {**made, **task.controls(instances)}
        except Exception as error:  # a plugin's code: its failure is a result
            made = dict.fromkeys(free, describe(error))
    found = {}
    for name, predict in free.items():
        several = made[name]
        if predict is not None:
            try:
                several = predict(instances)
            except Exception as error:  # as above
                several = describe(error)
        found[name] = _each(several, instances, "the task" if predict is None else "it")
    return found


def _each(several: Any, instances: Sequence[Instance], who: str) -> list[Prediction | str]:
    if not isinstance(several, str) and len(several) != len(instances):
        several = f"{who} made {len(several)} predictions of {len(instances)} instances"
    if isinstance(several, str):
        return [several] * len(instances)
    return [_checked(*pair) for pair in zip(several, instances, strict=True)]


def _checked(prediction: Any, instance: Instance) -> Prediction | str:
    try:
        check_prediction(prediction, instance.request)
    except (TypeError, ValueError) as error:
        return str(error)
    made: Prediction = prediction
    return made
