"""A stored run as the leaderboard reads it, and its manifest with names for its parts."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from PIL import Image

from frostbench.bench.leaderboard.control_facts import ControlFacts, control_facts
from frostbench.bench.statistics import Bounds
from frostbench.bench.store.records import Record

_NETWORKS: Mapping[str, tuple[str, ...]] = {
    "clip_score": ("clip",),
    # The language model's tokens are the words that others are held against.
    "clip_score_relative": ("clip", "llm"),
}


@runtime_checkable
class StoredRun(Protocol):
    """A run's folder, opened for reading."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """Everything the numbers depend on, as stored."""
        ...

    def records(self) -> Sequence[Record]:
        """Every sample once."""
        ...

    def blob(self, name: str) -> Path:
        """The file of an image or a feature vector."""
        ...

    def image(self, name: str) -> Image.Image:
        """A stored image."""
        ...

    def array(self, name: str) -> npt.NDArray[np.float32]:
        """A stored feature vector."""
        ...


@dataclass(frozen=True)
class MetricInfo:
    """A metric, as far as its numbers are to be read.

    `of_sets` metrics have one value of all samples' features; `pooling` names the formula of one
    that has a value of summed counts; one `of_corpus` weighs words by their rarity in a corpus.
    """

    id: str
    higher_is_better: bool
    unit: str
    bounds: Bounds
    of_sets: bool = False
    pooling: str | None = None
    of_corpus: bool = False

    @property
    def neutral(self) -> bool:
        """Whether neither end is better: a share that only says which way answers lean."""
        return self.id.startswith("yes[")

    @property
    def network(self) -> str | None:
        """What the brackets of the id hold: the network or the protocol of the metric."""
        return self.id.partition("[")[2].rstrip("]") or None

    @property
    def backbones(self) -> tuple[str, ...]:
        """Roles of the pack's networks that the metric looks with, if they are the pack's."""
        return _NETWORKS.get(self.id.partition("[")[0], ("perceptual",))


@dataclass(frozen=True)
class TaskInfo:
    """A task as it was run; `protocols` is (None,) where it has only one way.

    `corpus` is the hash of the corpus that its metrics learned from, if any did. Of the protocols,
    `levels` ask the same ever harder, and `variants` in several ways.
    """

    name: str
    suite: str
    summary: str
    protocols: tuple[str | None, ...]
    metrics: tuple[str, ...]
    ranks_by: str
    controls: Mapping[str, ControlFacts]
    settings: Mapping[str, Any]
    corpus: str | None = None
    levels: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()

    @property
    def series(self) -> tuple[str, ...]:
        """The protocols that stand side by side."""
        return (*self.levels, *self.variants)

    @property
    def ceilings(self) -> tuple[str, ...]:
        """Controls that a method is not meant to beat."""
        return tuple(name for name, facts in self.controls.items() if facts.ceiling)


@dataclass(frozen=True)
class Manifest:
    """The manifest of a run, read."""

    raw: Mapping[str, Any]
    tasks: Mapping[str, TaskInfo]
    metrics: Mapping[str, MetricInfo]
    methods: tuple[str, ...]

    @staticmethod
    def of(raw: Mapping[str, Any]) -> "Manifest":
        """Read a manifest.

        Raises:
            ValueError: a part is missing, or a task names a metric that the manifest does not
                describe.
        """
        try:
            metrics = {name: _metric(name, entry) for name, entry in raw["metrics"].items()}
            tasks = {name: _task(name, entry) for name, entry in raw["tasks"].items()}
            methods = tuple(sorted(raw["methods"]))
        except KeyError as error:
            raise ValueError(
                f"the manifest lacks {error}; it was not written by `frostbench run`, or by an "
                "older one: run again."
            ) from error
        for task in tasks.values():
            unknown = sorted({task.ranks_by, *task.metrics} - set(metrics))
            if unknown:
                raise ValueError(
                    f"the manifest's task {task.name!r} has metrics that the manifest does not "
                    f"describe: {', '.join(unknown)}; there are {', '.join(sorted(metrics))}."
                )
        return Manifest(raw, tasks, metrics, methods)

    def identity(self, task: TaskInfo, metric: MetricInfo) -> str:
        """Eight hex digits: rows are ranked together only where they agree.

        They stand for the task's settings, data and seed, and, where the metric's network comes
        with the pack (its id names the pack), for the network's weights; of a metric that learns
        from a corpus, for the corpus.
        """
        data = self.raw.get("data", {})
        name = task.settings.get("data")
        parts: dict[str, Any] = {
            "settings": task.settings,
            "seed": self.raw.get("seed"),
            # A task that does not say which data set it reads may read any.
            "data": data[name] if isinstance(name, str) and name in data else data,
        }
        pack = self.raw.get("pack", {})
        if metric.network is not None and metric.network == pack.get("name"):
            backbones = self.raw.get("backbones", {})
            weights = [backbones.get(role, {}).get("sha256_before") for role in metric.backbones]
            parts["network"] = weights if all(weights) else pack.get("sha256")
        if metric.of_corpus:
            parts["corpus"] = task.corpus
        text = json.dumps(parts, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def has_adapter(self, method: str | None, task: str) -> bool:
        """Whether a method's card names an adapter for a task."""
        return task in self.raw["methods"].get(method, {}).get("adapters", ())

    def dashes(self) -> Mapping[tuple[str, str], str]:
        """Why a method shows a dash, by (method, task)."""
        return {
            (dash["method"], dash["task"]): dash["reason"] for dash in self.raw.get("dashes", ())
        }


def _metric(name: str, entry: Mapping[str, Any]) -> MetricInfo:
    return MetricInfo(
        name,
        bool(entry["higher_is_better"]),
        str(entry.get("unit") or ""),
        Bounds(*(_float(entry.get(end)) for end in ("lower", "upper"))),
        bool(entry.get("set", False)),
        entry.get("pooling"),
        bool(entry.get("corpus", False)),
    )


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)


def _task(name: str, entry: Mapping[str, Any]) -> TaskInfo:
    ranks_by = str(entry["ranks_by"])
    others = [metric for metric in entry["metrics"] if metric != ranks_by]
    return TaskInfo(
        name,
        str(entry["suite"]),
        str(entry.get("summary") or ""),
        tuple(entry.get("protocols") or (None,)),
        (ranks_by, *others),
        ranks_by,
        control_facts(entry),
        dict(entry.get("settings") or {}),
        entry.get("corpus"),
        tuple(entry.get("levels") or ()),
        tuple(entry.get("variants") or ()),
    )
