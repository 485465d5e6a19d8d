"""One table row in two runs: both values on their common samples, and the difference."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from frostbench.bench.leaderboard.columns import (
    column_of_records,
    is_scored,
    mean_cost_of_records,
    sample_value,
)
from frostbench.bench.leaderboard.identity import metric_sources, sample_sources
from frostbench.bench.leaderboard.numbers import Format, format_of
from frostbench.bench.leaderboard.rows import MeanCost
from frostbench.bench.statistics import Column, Estimate, Inference, PairTest, estimated
from frostbench.bench.store.manifest import MetricEntry
from frostbench.bench.store.reader import StoredRun
from frostbench.bench.store.records import Record

ContrastOutcome: TypeAlias = Literal["better", "worse", "tied", "same", "apart"]
"""Of the second run: "tied" differ and are not told apart, "apart" cannot be compared."""


@dataclass(frozen=True)
class Spot:
    """A row that both runs have: task, protocol, and method or control.

    `theirs` is the method's name in the second run.
    """

    suite: str
    task: str
    protocol: str | None
    method: str | None
    theirs: str | None
    control: str | None

    @property
    def label(self) -> str:
        """Method or control, as readers see it."""
        method = self.method or ""
        if self.theirs != self.method:
            method = f"{method} (A), {self.theirs} (B)"
        if self.control is None:
            return method
        return f"{self.control}[{method}]" if method else self.control

    @property
    def place(self) -> str:
        """Task and protocol."""
        return f"{self.task} {self.protocol or ''}".rstrip()


@dataclass(frozen=True)
class Changed:
    """A sample that the two runs score differently; values are of the sample alone."""

    before: Record
    after: Record
    first: float
    second: float


@dataclass(frozen=True)
class Contrast:
    """A row of both runs under one metric, on the samples that both scored.

    Attributes:
        first, second: the values of either run there.
        test: of the second minus the first; None where the two cannot be compared, for a `reason`.
        samples: how many are common and scored in both; `lone` counts the other samples of either
            run.
        answers: how many common samples have differing predictions, scored or not.
        changed: the samples whose scores differ, those that differ most first.
        costs: what a common sample cost, in either run.
    """

    spot: Spot
    metric: MetricEntry
    form: Format
    first: Estimate | None
    second: Estimate | None
    test: PairTest | None
    reason: str
    samples: int
    lone: int
    answers: int
    changed: tuple[Changed, ...]
    costs: tuple[MeanCost | None, MeanCost | None]

    @property
    def outcome(self) -> ContrastOutcome:
        """How the value changed."""
        if self.test is None or self.test.difference is None:
            return "apart"
        if self.test.sign:
            turned = self.test.sign if self.metric.higher_is_better else -self.test.sign
            return "better" if turned > 0 else "worse"
        return "tied" if self.changed or self.test.difference.value else "same"


@dataclass(frozen=True)
class Common:
    """The records of a spot that are of the same samples, in either run."""

    spot: Spot
    pairs: tuple[tuple[Record, Record], ...]
    lone: int
    reason: str


def common(
    spot: Spot,
    runs: tuple[StoredRun, StoredRun],
    before: Mapping[str, Record],
    after: Mapping[str, Record],
) -> Common:
    """Pairs of records by sample, of samples that are the same in both runs.

    A sample is the same if its id, its cluster and what is true of it are. Where the runs drew
    their samples in different ways (another seed, other data), an id alone is not enough: only an
    equal target of an image, masks or boxes identifies a sample.
    """
    one, two = (run.manifest for run in runs)
    alike = sample_sources(one, one.tasks[spot.task]) == sample_sources(two, two.tasks[spot.task])
    shared = [(before[name], after[name]) for name in sorted({*before} & {*after})]
    pairs = tuple(
        (a, b)
        for a, b in shared
        if _what(a) == _what(b) and (alike or a.target.blob) and not _other_image(a, b)
    )
    lone = len({*before} | {*after}) - len(pairs)
    reason = ""
    if not pairs:
        why = "they have no sample in common" if alike else "another seed or other data"
        reason = f"{why}: there is nothing to pair."
    return Common(spot, pairs, lone, reason)


def _what(record: Record) -> object:
    return record.cluster, record.target


def _other_image(a: Record, b: Record) -> bool:
    """Whether both stored the image that was asked about, and the two differ."""
    one, two = (record.pictures.get("input") for record in (a, b))
    return bool(one and two and one != two)


def columns(
    found: Common, runs: tuple[StoredRun, StoredRun], metric: MetricEntry
) -> tuple[tuple[Column, Column] | None, str]:
    """The columns of both runs on common scored samples, or why there are none."""
    one, two = (run.manifest for run in runs)
    task = found.spot.task
    here = metric_sources(one, one.tasks[task], metric)
    there = metric_sources(two, two.tasks[task], two.metrics[metric.id])
    for what, said in (("network", "looks through other weights"), ("corpus", "learned from")):
        if here.get(what) != there.get(what):
            end = " another corpus" if what == "corpus" else ""
            return None, f"{metric.id} {said}{end}."
    if metric.pooling != two.metrics[metric.id].pooling:
        return None, f"{metric.id} is pooled in another way."
    if found.reason:
        return None, found.reason
    scored = [(a, b) for a, b in found.pairs if is_scored(a, metric) and is_scored(b, metric)]
    if not scored:
        return None, "no common sample has a score in both."
    first, second = (
        column_of_records(runs[i], [pair[i] for pair in scored], metric) for i in (0, 1)
    )
    return (first, second), ""


def contrast(
    found: Common,
    metric: MetricEntry,
    both: tuple[Column, Column] | None,
    test: PairTest | None,
    reason: str,
    inference: Inference,
) -> Contrast:
    """The contrast of a spot, whose columns and test are known."""
    first, second = (estimated(side, inference) for side in both) if both else (None, None)
    samples = len(both[0].samples) if both else 0
    before, after = ([pair[i] for pair in found.pairs] for i in (0, 1))
    return Contrast(
        found.spot,
        metric,
        format_of(metric, [side.value for side in (first, second) if side]),
        first,
        second,
        test,
        reason,
        samples,
        found.lone + len(found.pairs) - samples,
        sum(_answer(a) != _answer(b) for a, b in found.pairs),
        tuple(_changed(found.pairs, metric)) if both else (),
        (mean_cost_of_records(before), mean_cost_of_records(after)),
    )


def _answer(record: Record) -> object:
    return record.status, record.prediction


def _changed(pairs: Sequence[tuple[Record, Record]], metric: MetricEntry) -> Sequence[Changed]:
    found = []
    for before, after in pairs:
        first, second = sample_value(before, metric), sample_value(after, metric)
        if first is not None and second is not None and first != second:
            found.append(Changed(before, after, first, second))
    # Of samples that differ equally, those with an image to show come first.
    return sorted(
        found,
        key=lambda one: (
            -_gap(one),
            not (one.before.pictures or one.before.target.blob),
            one.before.sample,
        ),
    )


def _gap(one: Changed) -> float:
    gap = abs(one.second - one.first)
    return gap if math.isfinite(gap) else math.inf
