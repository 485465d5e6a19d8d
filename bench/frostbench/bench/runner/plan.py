"""The plan of a run: everything is looked up and checked, and nothing has been executed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from frostbench.bench.runner.rows import Lineup, rows_of
from frostbench.bench.store.leases import EXPIRY
from frostbench.bench.store.manifest import Origin, PackEntry
from frostbench.bench.store.records import Record
from frostbench.plugins.contract.cards import Card
from frostbench.plugins.contract.control import Control
from frostbench.plugins.contract.engine import Engine
from frostbench.plugins.contract.method import Method
from frostbench.plugins.contract.metric import Metric
from frostbench.plugins.contract.task import Task
from frostbench.plugins.host.limits import Limits


@runtime_checkable
class FrozenBackbones(Protocol):
    """The shared backbones, as far as the runner watches them."""

    def get(self, role: str) -> Any:
        """The backbone of a role, loaded on first use."""
        ...

    @property
    def entries(self) -> Mapping[str, Any]:
        """The pack's entries by role: `kind`, `source`, `dtype`."""
        ...

    def loaded(self) -> Mapping[str, Any]:
        """The backbones that are loaded by now, by role."""
        ...

    def fingerprints(self, role: str) -> Mapping[str, str]:
        """A digest of every parameter and buffer as it is now, by the tensor's name."""
        ...

    def changed(self, role: str, before: Mapping[str, str]) -> list[str]:
        """The names of tensors that are not what they were when `before` was taken."""
        ...

    def parameters(self, role: str) -> int:
        """How many numbers the backbone's parameters hold."""
        ...

    def drop(self, roles: Iterable[str] | None = None) -> None:
        """Forget the backbones of all or some roles; they are loaded again when asked for."""
        ...


@runtime_checkable
class Observer(Protocol):
    """Watches a run: a tracker, or a plugin that adds columns."""

    def started(self, manifest: Mapping[str, Any]) -> None:
        """Called once, before the first sample."""
        ...

    def scored(self, record: Record) -> Mapping[str, float] | None:
        """Called for each new sample before it is stored; the answer becomes extra columns."""
        ...

    def finished(self, manifest: Mapping[str, Any]) -> None:
        """Called once, after the last sample."""
        ...


@dataclass(frozen=True)
class PlannedMethod:
    """A method to be built when its first sample is due.

    `prepare` is called before `build`, for work that is no part of building the method itself;
    `weights` are SHA-256 by file name, for the manifest; `identity` is the digest of all that the
    method is made of. `lacking` are controls that it cannot make, with the reasons.
    """

    card: Card
    build: Callable[[], Method]
    settings: Mapping[str, object] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)
    identity: str = ""
    lacking: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[], None] | None = None


@dataclass(frozen=True)
class PlannedTask:
    """A task with its own limit of samples for each protocol.

    `data` opens the data set (or returns the open one) when the task's turn comes; `settings`
    are plain values for the manifest, already inside `task`.
    """

    task: Task
    data: Callable[[], Any]
    limit: int
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Provenance:
    """What results depend on besides the plan itself, for the manifest.

    `data` is SHA-256 by data set, `files` by setting or backbone that names files outside of the
    pack, and `origins` say by kind and name which plugin gave a part; `plugins` are the contents of
    plugin files, by name. Versions and hardware are found by the runner.
    """

    frostbench: str
    pack: PackEntry
    data: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    origins: Mapping[str, Mapping[str, Origin]] = field(default_factory=dict)
    plugins: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """One run.

    Attributes:
        out: the run's folder, made if missing, resumed if it holds a run of the same plan.
        methods: each under its card's name; their order changes no number.
        metrics: by id. A task's metrics that are not here are left out, which the run says.
        engine: answers the prompts of methods; loads nothing before its first prompt.
        config: the resolved configuration as plain values, stored as config.yaml.
        tokens: folder of kept visual tokens, shared between runs.
        controls: by name those that tasks may show; None leaves controls out.
        chunk: requests that are driven together. Chunks depend on the plan alone, so that a
            resumed run repeats whole chunks and gives the numbers of an uninterrupted one.
        tokenize_batch: images of one call of `tokenize`.
        gallery: samples of each task and protocol whose images and words are kept.
        lease: seconds without a sign of life after which a worker's chunk is given to another.
        retry_failed: try the failed samples of an interrupted or finished run again.
        again: forget the earlier run in the folder, whatever made it, and start over.
        replaced: roles whose backbone the user named, each with a sentence on alternatives. If they
            do not work, the run ends before it begins.
        limits: what a request may take of the methods' time, and how long errors are.
        notes: what a reader of the run must know, such as plugins that are left out.
        launch: the mark of processes that were started together for the run; "" for a single one.
        opened: called by the process that keeps the run once its folder holds the manifest, with
            the number of samples stored already.
        renew: makes engine and metrics again after backbones were dropped; None where neither keeps
            anything of a backbone.
    """

    out: Path
    methods: tuple[PlannedMethod, ...]
    tasks: tuple[PlannedTask, ...]
    metrics: Mapping[str, Metric]
    engine: Engine
    backbones: FrozenBackbones
    facts: Provenance
    tokens: Path
    config: Mapping[str, Any] = field(default_factory=dict)
    controls: Mapping[str, Control] | None = None
    observers: tuple[Observer, ...] = ()
    seed: int = 0
    device: str = "cpu"
    limit: int | None = None
    chunk: int = 32
    tokenize_batch: int = 32
    gallery: int = 8
    lease: float = EXPIRY
    retry_failed: bool = False
    again: bool = False
    replaced: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    notes: tuple[str, ...] = ()
    launch: str = ""
    opened: Callable[[int], None] | None = None
    renew: Callable[[], tuple[Engine, Mapping[str, Metric]]] | None = None

    def __post_init__(self) -> None:
        for kind, names in (
            ("method", [method.card.name for method in self.methods]),
            ("task", [task.task.card.name for task in self.tasks]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{kind} {', '.join(twice)} is planned twice; name it once.")
        if self.chunk < 1 or self.tokenize_batch < 1:
            raise ValueError("chunk and tokenize_batch are at least 1.")
        for planned in self.tasks:
            card = planned.task.card
            if card.ranks_by not in self.metrics:
                raise ValueError(
                    f"task {card.name!r} ranks by {card.ranks_by!r}, which is not among the "
                    f"metrics of this run: {', '.join(sorted(self.metrics)) or 'none'}."
                )

    def renewed(self) -> "Plan":
        """The plan with engine and metrics made again."""
        if self.renew is None:
            return self
        engine, metrics = self.renew()
        return replace(self, engine=engine, metrics=metrics)

    @cached_property
    def lineups(self) -> Mapping[str, Lineup]:
        """By task its rows."""
        cards = sorted((method.card for method in self.methods), key=lambda card: card.name)
        lacking = {method.card.name: method.lacking for method in self.methods}
        return {
            planned.task.card.name: rows_of(planned.task.card, cards, self.controls, lacking)
            for planned in self.tasks
        }

    def most_samples(self, planned: PlannedTask) -> int:
        """The most samples that a task can have, in all its rows and protocols."""
        card = planned.task.card
        return planned.limit * max(1, len(card.protocols)) * len(self.lineups[card.name].pairs)

    def metrics_of(self, planned: PlannedTask) -> dict[str, Metric]:
        """The task's metrics that this run has: its card's in order, then those made for it."""
        card = planned.task.card
        made_for = [name for name, one in self.metrics.items() if card.name in one.facts.tasks]
        names = dict.fromkeys((*card.metrics, *made_for))
        return {name: self.metrics[name] for name in names if name in self.metrics}
