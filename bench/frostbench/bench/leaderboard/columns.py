"""From stored records to what statistics read: the columns of rows, and what samples cost."""

import math
from collections.abc import Sequence

from frostbench.bench.leaderboard.rows import MeanCost
from frostbench.bench.statistics import (
    AveragePrecision,
    Bounds,
    Column,
    Frechet,
    Sums,
    Whole,
    pooled_value,
    ranked_value,
)
from frostbench.bench.store.manifest import MetricEntry
from frostbench.bench.store.reader import StoredRun
from frostbench.bench.store.records import Record


def is_scored(record: Record, metric: MetricEntry) -> bool:
    """Whether the metric has something of this sample; what is infinite or NaN is no score."""
    if record.status != "scored":
        return False
    if metric.pooling == "features":
        return metric.id in record.features
    if metric.counted:
        return metric.id in record.counts
    if metric.pooling == "average_precision":
        return metric.id in record.matches
    if metric.pooling == "whole":
        return metric.id in record.whole
    return math.isfinite(record.scores.get(metric.id, math.nan))


def is_asked(record: Record, metric: MetricEntry) -> bool:
    """Whether a metric asks something of a sample; some ask of one kind of samples alone."""
    alone = metric.pooling in ("mean", "whole")
    return record.status != "scored" or not alone or metric.id in record.scores


def column_of(run: StoredRun, records: Sequence[Record], metric: MetricEntry) -> Column:
    """What a row scored under a metric, of records that all are scored."""
    bounds = Bounds(metric.lower, metric.upper)
    if metric.counted:
        return Sums.of(
            [(record.sample, record.cluster, record.counts[metric.id]) for record in records],
            metric.pooling,
            bounds,
        )
    if metric.pooling == "average_precision":
        return AveragePrecision.of(
            [(record.sample, record.cluster, record.matches[metric.id]) for record in records]
        )
    if metric.pooling == "whole":
        return Whole.of(
            [(record.sample, record.cluster, record.whole[metric.id]) for record in records], bounds
        )
    if metric.pooling != "features":
        return Sums.of_means(
            [(record.sample, record.cluster, record.scores[metric.id]) for record in records],
            bounds,
        )
    entries = []
    for record in records:
        prediction, target = (run.array(hash) for hash in record.features[metric.id])
        entries.append((record.sample, record.cluster, prediction.ravel(), target.ravel()))
    return Frechet.of(entries)


def mean_cost(records: Sequence[Record]) -> MeanCost | None:
    """What a sample cost on average; None of no records."""
    if not records:
        return None
    costs = [record.cost for record in records]
    peaks = [cost.peak_bytes for cost in costs if cost.peak_bytes is not None]
    joules = [cost.joules for cost in costs if cost.joules is not None]
    return MeanCost(
        seconds=math.fsum(cost.seconds for cost in costs) / len(costs),
        prompt_tokens=sum(cost.prompt_tokens for cost in costs) / len(costs),
        generated_tokens=sum(cost.generated_tokens for cost in costs) / len(costs),
        peak_bytes=max(peaks, default=None),
        joules=math.fsum(joules) / len(joules) if joules else None,
    )


def sample_value(record: Record, metric: MetricEntry) -> float | None:
    """What a sample alone has under a metric: its score, or the value if it were the whole set.

    None of a distance between sets, and where the sample was not scored.
    """
    if not is_scored(record, metric) or metric.pooling == "features":
        return None
    if metric.counted:
        return pooled_value(metric.pooling, record.counts[metric.id])
    if metric.pooling == "average_precision":
        return ranked_value(record.matches[metric.id])
    return record.scores.get(metric.id)
