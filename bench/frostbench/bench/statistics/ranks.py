"""Ranks as ranges: what the data tell apart, and nothing more."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from frostbench.bench.statistics.bootstrap import Bootstrap, Estimate
from frostbench.bench.statistics.frechet import Frechet
from frostbench.bench.statistics.means import Means
from frostbench.bench.statistics.pooled import Pooled

K = TypeVar("K", bound=Hashable)


Column: TypeAlias = Means | Pooled | Frechet
"""What one row scored under one metric."""


@dataclass(frozen=True)
class Rank:
    """The best and the worst rank that a row may have; 1 is best."""

    low: int
    high: int

    def __str__(self) -> str:
        return str(self.low) if self.low == self.high else f"{self.low}-{self.high}"


def difference(one: Column, two: Column, bootstrap: Bootstrap) -> Estimate | None:
    """The first column less the second on the samples that both have, paired.

    Raises:
        TypeError: the two are of different kinds.
    """
    match one, two:
        case Means(), Means():
            return one.difference(two, bootstrap)
        case Pooled(), Pooled():
            return one.difference(two, bootstrap)
        case Frechet(), Frechet():
            return one.difference(two, bootstrap)
        case _:
            raise TypeError(
                f"a column of {type(one).__name__} has no difference to one of "
                f"{type(two).__name__}: they are of different metrics."
            )


def rank_ranges(
    columns: Mapping[K, Column], *, higher_is_better: bool, bootstrap: Bootstrap
) -> dict[K, Rank]:
    """For each column, 1 + the number significantly better, to n - the number significantly worse.

    Two columns differ significantly where the paired interval of their difference, on the samples
    that both have, excludes 0; differences are not corrected for how many are looked at. Columns
    without a common sample, or with fewer than six common clusters, are not told apart.
    """
    keys = list(columns)
    better = dict.fromkeys(keys, 0)
    worse = dict.fromkeys(keys, 0)
    for i, one in enumerate(keys):
        for two in keys[i + 1 :]:
            apart = difference(columns[one], columns[two], bootstrap)
            sign = 0 if apart is None else apart.sign
            if sign:
                first, second = (one, two) if (sign > 0) == higher_is_better else (two, one)
                better[second] += 1
                worse[first] += 1
    return {key: Rank(1 + better[key], len(keys) - worse[key]) for key in keys}
