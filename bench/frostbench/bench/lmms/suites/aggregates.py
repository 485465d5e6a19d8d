"""Our metrics as aggregations of lmms-eval, computed by the leaderboard's own code.

One function for each way of pooling, from (sample, cluster, what the sample adds).
"""

from collections.abc import Sequence
from typing import Any

from frostbench.bench.statistics import (
    AveragePrecision,
    Column,
    Frechet,
    Inference,
    Sums,
    estimated,
)


def of_mean(items: Sequence[Any]) -> float:
    """The mean of scores."""
    return _value(Sums.of_means(items))


def of_ratio(items: Sequence[Any]) -> float:
    """The ratio of two sums."""
    return _value(Sums.of(items, "ratio"))


def of_bleu(items: Sequence[Any]) -> float:
    """BLEU of summed counts."""
    return _value(Sums.of(items, "bleu"))


def of_features(items: Sequence[Any]) -> float:
    """The Fréchet distance of features."""
    entries = [(sample, cluster, *pair) for sample, cluster, pair in items]
    return _value(Frechet.of(entries))


def of_average_precision(items: Sequence[Any]) -> float:
    """The average precision of ranked detections."""
    return _value(AveragePrecision.of(items))


def _value(column: Column) -> float:
    found = estimated(column, Inference())
    return float("nan") if found is None else found.value
