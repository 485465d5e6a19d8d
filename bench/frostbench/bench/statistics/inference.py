"""Types that intervals and tests share: settings, bounds, estimates, clusters."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from jaxtyping import Int


@dataclass(frozen=True)
class Inference:
    """Settings: the level of intervals and tests, the number of sign flips, and the seed."""

    level: float = 0.95
    flips: int = 9999
    seed: int = 0

    def __post_init__(self) -> None:
        if self.flips < 1 or not 0 < self.level < 1:
            raise ValueError(
                "inference needs at least one sign flip and a level between 0 and 1: "
                f"got {self.flips} and {self.level}."
            )

    @property
    def alpha(self) -> float:
        """One minus the level: 0.05 at 95 %."""
        return 1 - self.level


@dataclass(frozen=True)
class Bounds:
    """The least and the greatest score that a metric can give; None where there is none."""

    lower: float | None = None
    upper: float | None = None

    @property
    def of_differences(self) -> "Bounds":
        """The bounds of a difference of two scores."""
        if self.lower is None or self.upper is None:
            return Bounds()
        return Bounds(self.lower - self.upper, self.upper - self.lower)

    @property
    def of_shares(self) -> bool:
        """Whether scores lie between 0 and 1."""
        return (self.lower, self.upper) == (0, 1)

    def clip(self, value: float) -> float:
        """The value, or the bound that it lies beyond."""
        above = value if self.lower is None else max(value, self.lower)
        return above if self.upper is None else min(above, self.upper)


ANY_SCORE = Bounds()
GROUPS = 200
"""The most groups of clusters to leave out in turn: each costs a look at the whole set."""


@dataclass(frozen=True)
class Interval:
    """Two ends and how they were computed; without ends, `how` says why."""

    low: float | None
    high: float | None
    how: str


@dataclass(frozen=True)
class Estimate:
    """A value and its interval, with the numbers of samples and clusters."""

    value: float
    interval: Interval
    samples: int
    clusters: int

    @property
    def low(self) -> float | None:
        """The lower end of the interval; None where there is none."""
        return self.interval.low

    @property
    def high(self) -> float | None:
        """The upper end of the interval; None where there is none."""
        return self.interval.high


@lru_cache(maxsize=8)  # all rows of a table have the same
def cluster_rows(clusters: tuple[str, ...]) -> tuple[Int[np.ndarray, " n"], int]:
    """For each sample the number of its cluster, in the order of the clusters' names; how many."""
    number = {name: place for place, name in enumerate(sorted(set(clusters)))}
    rows = np.fromiter(map(number.__getitem__, clusters), np.int64, len(clusters))
    rows.flags.writeable = False
    return rows, len(number)


def part_rows(clusters: tuple[str, ...]) -> tuple[Int[np.ndarray, " n"], int]:
    """For each sample the group that is left out with it, and how many there are.

    Each cluster is a group of its own, up to `GROUPS` of them; more are dealt out in turn.
    """
    rows, many = cluster_rows(clusters)
    return rows % GROUPS, min(many, GROUPS)


def refuse_repeats(samples: Sequence[str]) -> None:
    """Raise ValueError where one of the sorted ids comes twice."""
    for sample, following in pairwise(samples):
        if sample == following:
            raise ValueError(f"sample {sample!r} is scored twice in one row; a sample counts once.")
