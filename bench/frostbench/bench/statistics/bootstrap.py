"""The bootstrap over clusters: its settings, its draws, and what comes out of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Int

FEWEST_CLUSTERS = 6  # 2 / 2**5 > 0.05: with five clusters not even a sign test can reject
CELLS_AT_ONCE = 1 << 22  # draws held at a time, 32 MiB


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are computed: replicates of a mean, seed, and two-sided level."""

    replicates: int = 2000
    seed: int = 0
    level: float = 0.95

    def __post_init__(self) -> None:
        if self.replicates < 1 or not 0 < self.level < 1:
            raise ValueError(
                "a bootstrap needs at least one replicate and a level between 0 and 1: "
                f"got {self.replicates} and {self.level}."
            )

    @property
    def tails(self) -> tuple[float, float]:
        """The two quantiles between which the interval lies: 0.025 and 0.975 at 95 %."""
        return (1 - self.level) / 2, (1 + self.level) / 2

    def draws(
        self, clusters: int, replicates: int | None = None
    ) -> Iterator[Int[np.ndarray, "block clusters"]]:
        """Which clusters each replicate holds, in blocks of replicates.

        They depend on the seed and on the number of clusters alone: two columns over the same
        clusters are resampled alike.
        """
        generator = np.random.default_rng(self.seed)
        left = self.replicates if replicates is None else replicates
        block = max(1, CELLS_AT_ONCE // max(1, clusters))
        while left > 0:
            yield generator.integers(clusters, size=(min(block, left), clusters))
            left -= block


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

    def clip(self, value: float) -> float:
        """The value, or the bound that it lies beyond."""
        above = value if self.lower is None else max(value, self.lower)
        return above if self.upper is None else min(above, self.upper)


ANY_SCORE = Bounds()
ANY_DISTANCE = Bounds(lower=0.0)


@dataclass(frozen=True)
class Estimate:
    """A value and its interval, from so many samples in so many clusters.

    `low` and `high` are None where the data say nothing about the spread: a single cluster.
    """

    value: float
    low: float | None
    high: float | None
    samples: int
    clusters: int

    @property
    def sign(self) -> int:
        """For a difference: 1 or -1 where its interval excludes 0, and 0 where it does not.

        Fewer than six clusters never tell two rows apart: no test at 5 % could.
        """
        if self.low is None or self.high is None or self.clusters < FEWEST_CLUSTERS:
            return 0
        return int(self.low > 0) - int(self.high < 0)


def cluster_rows(clusters: Sequence[str]) -> tuple[Int[np.ndarray, " n"], int]:
    """For each sample the number of its cluster, in the order of the clusters' names; how many."""
    names, rows = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    return rows.astype(np.int64), len(names)


def refuse_repeats(samples: Sequence[str]) -> None:
    """Raise ValueError where one of the sorted ids comes twice."""
    for sample, following in pairwise(samples):
        if sample == following:
            raise ValueError(f"sample {sample!r} is scored twice in one row; a sample counts once.")
