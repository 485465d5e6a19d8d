"""Ranges of ranks: the ranks that the tests leave possible."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Generic, TypeVar

from frostbench.bench.statistics.apart import (
    Column,
    PairTest,
    clusters_needed,
    compare,
    fewest_clusters,
)
from frostbench.bench.statistics.inference import Inference

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Rank:
    """The best and the worst rank that a row may have; 1 is best."""

    low: int
    high: int

    def __str__(self) -> str:
        return str(self.low) if self.low == self.high else f"{self.low}-{self.high}"


@dataclass(frozen=True)
class Ranking(Generic[K]):
    """Ranges of ranks; if no rows differ, also how many clusters would be needed.

    Attributes:
        ranks: for each row 1 + the number significantly better, to n - the number significantly
            worse.
        samples, clusters: the fewest that any two rows share; 0 where nothing was compared.
        fewest: with fewer clusters no two of so many rows can ever be told apart.
        easiest: where none are apart, the pair for which the fewest clusters would do, and how
            many; None where some are apart, or no pair differs.
        limits: how many pairs were compared by the limit of all sign flips, not by drawn ones.
    """

    ranks: Mapping[K, Rank]
    samples: int = 0
    clusters: int = 0
    fewest: int = 0
    easiest: tuple[K, K, int] | None = None
    limits: int = 0

    @property
    def tells_apart(self) -> bool:
        """Whether any two rows are."""
        return any((rank.low, rank.high) != (1, len(self.ranks)) for rank in self.ranks.values())


def ranking(
    columns: Mapping[K, Column], *, higher_is_better: bool, inference: Inference
) -> Ranking[K]:
    """Every pair of rows compared, corrected by Holm over all of them.

    Columns without a common sample are not told apart.
    """
    pairs = list(combinations(columns, 2))
    found = compare([(columns[one], columns[two]) for one, two in pairs], inference)
    better, worse = dict.fromkeys(columns, 0), dict.fromkeys(columns, 0)
    for (one, two), apart in zip(pairs, found, strict=True):
        if apart.sign:
            first, second = (one, two) if (apart.sign > 0) == higher_is_better else (two, one)
            better[second] += 1
            worse[first] += 1
    ranks = {key: Rank(1 + better[key], len(columns) - worse[key]) for key in columns}
    shared = [apart.difference for apart in found if apart.difference is not None]
    if not shared:
        return Ranking(ranks)
    return Ranking(
        ranks,
        min(estimate.samples for estimate in shared),
        min(estimate.clusters for estimate in shared),
        fewest_clusters(len(pairs), inference),
        _easiest(columns, pairs, found, inference),
        sum(not apart.drawn for apart in found),
    )


def _easiest(
    columns: Mapping[K, Column],
    pairs: list[tuple[K, K]],
    found: list[PairTest],
    inference: Inference,
) -> tuple[K, K, int] | None:
    if any(apart.sign for apart in found):
        return None
    needs = [
        (needed, one, two)
        for (one, two), apart in zip(pairs, found, strict=True)
        if (needed := clusters_needed(columns[one], columns[two], apart, len(pairs), inference))
        is not None
    ]
    if not needs:
        return None
    needed, one, two = min(needs, key=lambda need: need[0])
    return one, two, needed
