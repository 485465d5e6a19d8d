"""The rows of a leaderboard: a value with its interval, rank and origin."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal

from frostbench.bench.leaderboard.preservation import Preserved
from frostbench.bench.statistics import Inference, Rank, estimators
from frostbench.bench.store.manifest import Manifest

Kind = Literal["measured", "control", "imported", "reported"]


@dataclass(frozen=True)
class MeanCost:
    """The mean cost of the scored samples; for peak memory, the largest."""

    seconds: float
    prompt_tokens: float
    generated_tokens: float
    peak_bytes: int | None = None
    joules: float | None = None


@dataclass(frozen=True)
class Counterpart:
    """What a reported value is compared with: a row of a run of `preset`.

    The value is ours times `scale`; `samples` is how many samples the paper used, None where that
    is not known.
    """

    preset: str
    metric: str
    protocol: str | None = None
    scale: float = 1.0
    samples: int | None = None


@dataclass(frozen=True)
class Row:
    """A value of one row under one metric.

    `method` is what a reader sees ("v2l", "copy", "majority_vote[v2l]"); `control` and `of` are the
    parts of a control's name. `value` is None where there is none, and `reason` says why. `low` and
    `high` are None where there is no honest interval; `interval` says how it was computed, or why
    there is none. Only measured rows on the task's ranking metric have a `rank`, and imported ones
    (of another bench) that are of the same documents and metric as one of those; `best` rows are
    significantly better than every other method. Rows with the same task, protocol, metric and
    `identity` were ranked together. `run` counts the leaderboard's manifests from 1. `llm` names
    the run's language model where the runs differ in it; rows under different ones are not ranked
    together. `checked` says which checks submitted results passed. `adapter` marks a method that
    lays a LoRA adapter of its own over the frozen backbone in this task. For reported rows,
    `setting` gives the conditions in the source, `verified` whether the value was seen in the
    publication itself, and `counterpart` our row to compare it with, where a preset states its
    settings.
    """

    kind: Kind
    method: str
    suite: str
    task: str
    protocol: str | None
    metric: str
    value: float | None
    low: float | None = None
    high: float | None = None
    interval: str | None = None
    rank: Rank | None = None
    best: bool = False
    samples: int | None = None
    failed: int | None = None
    cost: MeanCost | None = None
    reason: str | None = None
    control: str | None = None
    of: str | None = None
    run: int | None = None
    identity: str | None = None
    setting: str | None = None
    source: str | None = None
    verified: bool | None = None
    llm: str | None = None
    adapter: bool = False
    counterpart: Counterpart | None = None
    checked: str | None = None

    @property
    def line(self) -> tuple[int | None, str | None, str | None]:
        """What the rows of one line of a table share: run, control, and its method."""
        return self.run, self.control, self.of if self.control else self.method


@dataclass(frozen=True)
class Verdict:
    """A method compared with one of its controls: ranking metric, common samples.

    `difference` is oriented so that the method is better above 0; its interval is for this
    comparison alone. `p` is of the test, corrected for the method's other controls.
    """

    method: str
    control: str
    suite: str
    task: str
    protocol: str | None
    metric: str
    run: int
    difference: float
    low: float | None
    high: float | None
    p: float
    samples: int
    outcome: Literal["beats", "ties", "loses"]
    drawn: bool = True


@dataclass(frozen=True)
class Need:
    """A ranking in which no two methods differ, and how many samples it would take.

    Attributes:
        samples, clusters: how many any two rows share at least.
        fewest: with fewer clusters no two of so many rows can be told apart.
        easiest: how many clusters would tell `pair` apart in four cases of five, at its observed
            difference and spread; None where no two rows differ.
    """

    task: str
    protocol: str | None
    samples: int
    clusters: int
    fewest: int
    easiest: int | None
    pair: tuple[str, str] | None


@dataclass(frozen=True)
class Leaderboard:
    """Everything that was built from one or more runs."""

    rows: tuple[Row, ...]
    verdicts: tuple[Verdict, ...]
    manifests: tuple[Manifest, ...]
    inference: Inference = field(default_factory=Inference)
    needs: tuple[Need, ...] = ()
    preserved: tuple[Preserved, ...] = ()
    limits: int = 0  # comparisons by the limit of all sign flips

    @cached_property
    def against_controls(self) -> Mapping[tuple[Any, ...], tuple[Verdict, ...]]:
        """The verdicts by task, protocol, method and run."""
        found: dict[tuple[Any, ...], list[Verdict]] = defaultdict(list)
        for one in self.verdicts:
            found[one.task, one.protocol, one.method, one.run].append(one)
        return {key: tuple(several) for key, several in found.items()}

    @property
    def estimators(self) -> str:
        """One line: which interval is which, and when rows are apart."""
        return estimators(self.inference, self.limits)

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `leaderboard.json` holds them."""
        manifests = [manifest.to_json() for manifest in self.manifests]
        return {
            "rows": [asdict(row) for row in self.rows],
            "verdicts": [asdict(verdict) for verdict in self.verdicts],
            "preserved": [asdict(one) for one in self.preserved],
            "needs": [asdict(need) for need in self.needs],
            "statistics": {"intervals": self.estimators, **asdict(self.inference)},
            "manifest": manifests[0] if len(manifests) == 1 else manifests,
        }
