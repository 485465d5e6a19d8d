"""The samples of a chunk while they are computed: from requests to predictions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from frostbench.bench.runner.rows import Entrant
from frostbench.plugins.backbones.energy import Energy, Outlay
from frostbench.plugins.contract.completions import Cost
from frostbench.plugins.contract.control import Company
from frostbench.plugins.contract.engine import Engine
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.method import Method
from frostbench.plugins.contract.predictions import Prediction
from frostbench.plugins.contract.requests import Request
from frostbench.plugins.contract.task import Instance
from frostbench.plugins.contract.tokens import VisualTokens
from frostbench.plugins.contract.validity import check_prediction
from frostbench.plugins.engine.answer import decoded, waves_of
from frostbench.plugins.engine.waves import Outcome, drive
from frostbench.plugins.host.containment import Call, contain
from frostbench.plugins.host.errors import cut, describe
from frostbench.plugins.host.limits import limits


@dataclass
class Attempt:
    """One sample of one row, filled in step by step until it has a prediction or an error.

    `method` answers: the row's own, or its stand-in.
    """

    row: Entrant
    instance: Instance
    request: Request
    method: Method
    tokens: Mapping[Image, VisualTokens] = field(default_factory=dict)
    outcome: Any = None
    prediction: Prediction | None = None
    cost: Cost = field(default_factory=Cost)
    error: str | None = None

    def fail(self, verb: str, task: str, reason: str) -> None:
        """Record in one sentence who failed where, and why; the first failure stays."""
        if self.error is None:
            sample = f"task {task!r}, sample {self.request.id!r}"
            self.error = f"{self.row.title}, {verb}, {sample}: {reason.rstrip('.')}."

    def spend(self, cost: Cost) -> None:
        """Add to the cost."""
        self.cost = self.cost + cost


def answer(items: Sequence[Attempt], engine: Engine, task: str) -> None:
    """Run the prompts of all items together and give each its outcome or its error.

    Should the engine itself fail, the items are run method by method and then one by one, so
    that only those fail whose prompts make it fail.
    """
    sound = [item for item in items if item.error is None]
    if not sound:
        return
    try:
        with torch.no_grad():
            waves = [waves_of(x.method, x.request, x.tokens, x.row.way.rewrite) for x in sound]
            most = limits().most_seconds * len(sound)
            outcomes = contain(_engine_of(sound), drive, waves, engine, seconds=most)
        assert len(outcomes) == len(sound)
    except Exception as error:  # an engine is a plugin too
        groups = _apart(sound)
        if len(groups) == 1:
            sound[0].fail("engine", task, describe(error))
        else:
            for group in groups:
                answer(group, engine, task)
        return
    for item, outcome in zip(sound, outcomes, strict=True):
        _take(item, outcome, task)


def decode(items: Sequence[Attempt], task: str, energy: Energy) -> None:
    """Give each item of one row its prediction or its error, and its share of the cost.

    If they cannot be decoded together they are decoded one at a time.
    """
    sound = [item for item in items if item.error is None]
    if not sound:
        return
    outlay = Outlay(energy)
    requests, method = [item.request for item in sound], sound[0].method
    try:
        with torch.no_grad():
            outcomes = [item.outcome for item in sound]
            call = Call("method", sound[0].row.method, "decode")
            most = limits().most_seconds * len(sound)
            predictions = contain(call, decoded, method, requests, outcomes, seconds=most)
    except Exception as error:  # an author's code: its failure is a result
        if len(sound) == 1:
            sound[0].fail("decode", task, describe(error))
        else:
            for item in sound:
                decode([item], task, energy)
        return
    each = outlay.cost().part(1 / len(sound))
    for item, prediction in zip(sound, predictions, strict=True):
        item.prediction = prediction
        item.spend(each)


def translate(items: Sequence[Attempt], company: Callable[[Instance], Company], task: str) -> None:
    """Turn answers to another request into answers to each instance's own request."""
    for item in items:
        way, said = item.row.way, item.prediction
        if way.answer is None or said is None:
            continue
        call, instance = Call("control", item.row.control or "", "answer"), item.instance
        try:
            own = contain(call, way.answer, said, instance, company(instance))
            contain(call, check_prediction, own, instance.request)
            item.prediction = own
        except Exception as error:  # a plugin's code: its failure is a result
            item.prediction = None
            item.fail("answer", task, describe(error))


def _take(item: Attempt, outcome: Outcome, task: str) -> None:
    item.spend(outcome.cost)
    item.outcome = outcome.value
    if outcome.error is not None:
        item.fail("prompt", task, cut(outcome.error))


def _engine_of(items: Sequence[Attempt]) -> Call:
    """The call of the engine. If it dies, a method is responsible only if it is alone."""
    methods = sorted({item.row.method for item in items})
    kind = "methods" if methods[1:] else "method"
    return Call(kind, ", ".join(methods), "the engine")


def _apart(items: Sequence[Attempt]) -> list[list[Attempt]]:
    """Items by method, or each alone where they are of one method."""
    groups: dict[str, list[Attempt]] = {}
    for item in items:
        groups.setdefault(item.row.method, []).append(item)
    return list(groups.values()) if len(groups) > 1 else [[item] for item in items]
