"""Makes the columns that statistics read from stored samples, and mean costs."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool

from frostbench.bench.leaderboard.rows import MeanCost
from frostbench.bench.statistics import (
    AveragePrecision,
    Bounds,
    Column,
    Frechet,
    Sums,
    Whole,
    pooled_value,
    pooling_named,
    ranked_value,
)
from frostbench.bench.store.chunks import Places
from frostbench.bench.store.manifest import MetricEntry
from frostbench.bench.store.reader import StoredRun
from frostbench.bench.store.records import Record
from frostbench.bench.store.tables import SampleTable

PARTS = {"features": "features", "average_precision": "matches", "whole": "whole"}
"""The field of a record that holds a metric's data about a sample, where it is no score."""


def part_of(metric: MetricEntry) -> str:
    """The field of records that holds a metric's data."""
    return "counts" if metric.counted else PARTS.get(metric.pooling, "scores")


def scored(table: SampleTable, metric: MetricEntry) -> Bool[np.ndarray, " n"]:
    """Which samples have a score under a metric; an infinite value is no score."""
    part = part_of(metric)
    if part == "scores":
        return np.asarray(table.scored & np.isfinite(table.scores(metric.id)))
    return np.asarray(table.scored & table.has(part, metric.id))


def asked(table: SampleTable, metric: MetricEntry) -> Bool[np.ndarray, " n"]:
    """Which samples a metric applies to; some metrics apply to one kind of samples only."""
    if metric.pooling not in ("mean", "whole"):
        return np.ones(len(table), dtype=bool)
    return np.asarray(~table.scored | ~np.isnan(table.scores(metric.id)))


def column_of(run: StoredRun, table: SampleTable, places: Places, metric: MetricEntry) -> Column:
    """A row's column under a metric, from places that are all scored."""
    samples, clusters = table.samples(places), table.clusters(places)
    bounds, part = Bounds(metric.lower, metric.upper), part_of(metric)
    if part == "counts":
        width = pooling_named(metric.pooling).width
        counts = table.counts(metric.id, places, width)
        return Sums(samples, clusters, counts, metric.pooling, bounds)
    if part == "scores":
        scores = table.scores(metric.id)[places]
        counts = np.stack([scores, np.ones(len(scores))], -1)
        return Sums(samples, clusters, counts, "mean", bounds)
    found = table.values(part, metric.id, places)
    return _listed(run, metric, list(zip(samples, clusters, found, strict=True)))


def column_of_records(run: StoredRun, records: Sequence[Record], metric: MetricEntry) -> Column:
    """The same from records that are all scored."""
    part = part_of(metric)
    entries = [
        (record.sample, record.cluster, getattr(record, part)[metric.id]) for record in records
    ]
    return column_of_entries(run, entries, metric)


def column_of_entries(
    run: StoredRun, entries: list[tuple[str, str, Any]], metric: MetricEntry
) -> Column:
    """The same from (sample, cluster, the metric's data)."""
    bounds = Bounds(metric.lower, metric.upper)
    if metric.counted:
        return Sums.of(entries, metric.pooling, bounds)
    if part_of(metric) == "scores":
        return Sums.of_means(entries, bounds)
    return _listed(run, metric, entries)


def _listed(run: StoredRun, metric: MetricEntry, entries: list[tuple[str, str, Any]]) -> Column:
    """The column of values that cannot be summed, from (sample, cluster, data)."""
    if metric.pooling == "average_precision":
        return AveragePrecision.of(entries)
    if metric.pooling == "whole":
        return Whole.of(entries, Bounds(metric.lower, metric.upper))
    return Frechet.of(
        (sample, cluster, run.array(prediction).ravel(), run.array(target).ravel())
        for sample, cluster, (prediction, target) in entries
    )


def mean_cost(table: SampleTable, places: Places) -> MeanCost | None:
    """The mean cost of a sample; None without samples."""

    def known(name: str) -> list[float]:
        numbers = table.numbers(f"cost.{name}")[places]
        found: list[float] = numbers[~np.isnan(numbers)].tolist()
        return found

    return _mean_cost(known, len(places))


def mean_cost_of_records(records: Sequence[Record]) -> MeanCost | None:
    """The same from records."""

    def known(name: str) -> list[float]:
        return [float(one) for record in records if (one := getattr(record.cost, name)) is not None]

    return _mean_cost(known, len(records))


def _mean_cost(known: Callable[[str], list[float]], count: int) -> MeanCost | None:
    if not count:
        return None
    peaks, joules = known("peak_bytes"), known("joules")
    return MeanCost(
        seconds=math.fsum(known("seconds")) / count,
        prompt_tokens=math.fsum(known("prompt_tokens")) / count,
        generated_tokens=math.fsum(known("generated_tokens")) / count,
        peak_bytes=int(max(peaks)) if peaks else None,
        joules=math.fsum(joules) / len(joules) if joules else None,
    )


def is_scored(record: Record, metric: MetricEntry) -> bool:
    """Whether a metric has data about one sample; `scored` does this for many."""
    if record.status != "scored":
        return False
    found: Any = getattr(record, part_of(metric)).get(metric.id)
    return found is not None and (not isinstance(found, float) or math.isfinite(found))


def sample_value(record: Record, metric: MetricEntry) -> float | None:
    """A sample's own value under a metric: its score, or the value if it were the whole set.

    None for a distance between sets, and where the sample was not scored.
    """
    if not is_scored(record, metric) or metric.pooling == "features":
        return None
    if metric.counted:
        return pooled_value(metric.pooling, record.counts[metric.id])
    if metric.pooling == "average_precision":
        return ranked_value(record.matches[metric.id])
    return record.scores.get(metric.id)
