"""Answers lmms-eval's questions in a run of ours, with its batching, caching and resuming.

The run's folder is named after everything that answers depend on: method, weights, settings,
versions, texts and pixels. A second evaluation of the same resumes a killed one; any other one
starts anew.
"""

import dataclasses
import hashlib
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from frostbench.bench.cli.assemble import assemble
from frostbench.bench.cli.config import RunConfig, cache_folder
from frostbench.bench.cli.plugins import open_host
from frostbench.bench.lmms.asking import Posed
from frostbench.bench.lmms.definition import SUITE
from frostbench.bench.lmms.version import LmmsError
from frostbench.bench.runner.manifest import identity
from frostbench.bench.runner.plan import Plan
from frostbench.bench.runner.progress import progress_for
from frostbench.bench.runner.run import run
from frostbench.bench.store.reader import StoredRun
from frostbench.plugins.contract.cards import MetricFacts, Offer, TaskCard
from frostbench.plugins.contract.hooks import hookimpl
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.predictions import Prediction, Reasoned, TextPrediction
from frostbench.plugins.contract.task import Instance, Sample, Target, Task, Unreadable
from frostbench.plugins.host.packs import digest_of

ANSWERED = MetricFacts("answered[any]", lower=0.0, upper=1.0, percent=True)


@dataclass(frozen=True)
class HostedSettings:
    """What is asked: one digest over all requests."""

    requests: str = ""


def answered(prediction: Prediction, target: Target) -> float:
    """`answered[any]`: 1 where something is answered, 0 where a text is empty."""
    match prediction:
        case TextPrediction(text) | Reasoned(text):
            return float(bool(text.strip()))
        case _:
            return 1.0


class HostedTask(Task):
    """The part of a lmms-eval task that a method sees, without the right answers."""

    settings = HostedSettings
    data = "lmms-eval"
    posed: Sequence[Posed] = ()

    def __init__(self, settings: HostedSettings) -> None:
        self._settings = settings

    def instances(self, data: Any, limit: int, seed: int) -> Iterator[Sample]:
        """The requests, in lmms-eval's order; at most `limit` of each protocol."""
        given: Counter[str | None] = Counter()
        for one in self.posed:
            if given[one.protocol] >= limit:
                continue
            given[one.protocol] += 1
            try:
                request = one.open()
            except LmmsError as error:
                yield Unreadable(one.id, one.protocol, str(error))
                continue
            yield Instance(request, "", one.protocol, request.image.digest)


def hosted_name(task: str) -> str:
    """The name of a task in these runs, which differs from our own tasks' names."""
    return f"lmms-eval:{task}"


class HostedTasks:
    """The plugin that offers what lmms-eval asks now: by task, its card and its samples."""

    def __init__(self, tasks: Mapping[str, tuple[TaskCard, Sequence[Posed]]]) -> None:
        self._tasks = tasks

    @hookimpl
    def frostbench_tasks(self) -> list[Offer[TaskCard]]:
        """The tasks, scored only by whether there is an answer."""
        offers = []
        for card, posed in self._tasks.values():
            protocols = tuple(dict.fromkeys(one.protocol for one in posed if one.protocol))
            bare = TaskCard(
                hosted_name(card.name),
                SUITE,
                card.request_type,
                card.reads,
                (ANSWERED.id,),
                ANSWERED.id,
                protocols,
                summary="asked by lmms-eval",
            )
            kind = type("HostedTask", (HostedTask,), {"card": bare, "posed": tuple(posed)})
            offers.append(Offer(bare, kind))
        return offers

    @hookimpl
    def frostbench_metrics(self) -> list[Offer[MetricFacts]]:
        """Whether there is an answer."""
        return [Offer(ANSWERED, answered)]


def hosted(config: RunConfig, tasks: Mapping[str, tuple[TaskCard, Sequence[Posed]]]) -> StoredRun:
    """The answers to all samples, as a stored run; only those not stored yet are asked.

    Raises:
        LookupError, UsageError, PluginError: the configuration does not fit.
    """
    plan = _plan(config, tasks)
    root = Path(config.out) if config.out != RunConfig.out else cache_folder("lmms-eval")
    plan = replace(plan, out=root / digest_of(identity(plan))[:16])
    return run(plan, progress_for(sys.stderr, quiet=config.quiet))


def refusals(config: RunConfig, cards: Sequence[TaskCard]) -> dict[str, str]:
    """By task, why the configuration's method does not answer it; answered tasks are left out."""
    (name,) = config.methods
    method = open_host(config).pick("method", name).card
    said = {card.name: method.refuses(card) for card in cards}
    return {task: reason for task, reason in said.items() if reason is not None}


def _plan(config: RunConfig, tasks: Mapping[str, tuple[TaskCard, Sequence[Posed]]]) -> Plan:
    host = open_host(config)
    host.register(HostedTasks(tasks), "lmms-eval")
    posed = {hosted_name(name): several for name, (_, several) in tasks.items()}
    asked = replace(
        config,
        tasks=list(posed),
        limits={name: len(several) for name, several in posed.items()},
        task={name: {"requests": _digest(several)} for name, several in posed.items()},
        gallery=0,
    )
    plan = assemble(asked, host)
    own = tuple(replace(one, data=partial(_nothing)) for one in plan.tasks)
    return replace(plan, tasks=own)


def _nothing() -> None:
    """The data set of a task that brings its own samples."""


def _digest(posed: Sequence[Posed]) -> str:
    """One digest over all requests, with images by their pixels."""
    digest = hashlib.sha256()
    for one in posed:
        try:
            said = _plain(one.open())
        except LmmsError as error:
            said = str(error)
        digest.update(f"{one.id}|{one.protocol}|{said!r}\n".encode())
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    """A request as values that print the same on every machine."""
    match value:
        case Image():
            return value.digest
        case torch.Tensor():
            return hashlib.sha256(value.contiguous().cpu().numpy().tobytes()).hexdigest()
        case tuple() | list():
            return [_plain(one) for one in value]
        case _ if dataclasses.is_dataclass(value):
            fields = dataclasses.fields(value)
            return [type(value).__name__, *(_plain(getattr(value, one.name)) for one in fields)]
        case _:
            return value
