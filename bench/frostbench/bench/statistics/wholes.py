"""Values of a set that no formula over sums gives, with jackknife intervals.

Such a number is computed where its function is available, when the task is complete; stored are the
number, and by how much each group of clusters lifts it. An interval is the jackknife's, as for
sums; nothing is known about a part of the samples.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float

from frostbench.bench.statistics.inference import (
    ANY_SCORE,
    Bounds,
    Estimate,
    Inference,
    Interval,
    cluster_rows,
    part_rows,
    refuse_repeats,
)
from frostbench.bench.statistics.intervals import Jackknife, student

GIVEN = "none: the number came without what each sample adds to it"


def lifts(
    clusters: Sequence[str], values: Sequence[Any], number: Callable[[Sequence[Any]], float]
) -> tuple[float, list[float]]:
    """The number of all values, and for each sample by how much its group lifts that.

    Where there is no number without a group, its lift is NaN.
    """
    whole = float(number(values))
    rows, groups = part_rows(tuple(clusters))
    lift = np.full(groups, np.nan)
    for group in range(groups if groups > 1 else 0):
        rest = [value for row, value in zip(rows.tolist(), values, strict=True) if row != group]
        try:
            lift[group] = whole - float(number(rest))
        except Exception:  # the function fails without the group
            continue
    return whole, [float(one) for one in lift[rows]]


@dataclass(frozen=True, eq=False)
class Whole:
    """The scores of one row under such a metric, in the order of the samples' ids."""

    samples: tuple[str, ...]
    clusters: tuple[str, ...]
    value: float
    lifts: Float[np.ndarray, " n"]
    bounds: Bounds = ANY_SCORE

    @staticmethod
    def of(
        entries: Iterable[tuple[str, str, tuple[float, float]]], bounds: Bounds = ANY_SCORE
    ) -> "Whole":
        """The column of (sample, cluster, (number, lift)), in whatever order they come.

        Raises:
            ValueError: a sample comes twice, there is none, or two say different numbers.
        """
        ordered = sorted(entries, key=lambda entry: entry[0])
        samples = tuple(sample for sample, _, _ in ordered)
        refuse_repeats(samples)
        numbers = {number for _, _, (number, _) in ordered}
        if len(numbers) != 1:
            raise ValueError(f"the samples of one row say {len(numbers)} numbers of their whole.")
        lift = np.array([lift for _, _, (_, lift) in ordered], dtype=np.float64)
        (value,) = numbers
        return Whole(samples, tuple(entry[1] for entry in ordered), value, lift, bounds)

    def estimate(self, inference: Inference) -> Estimate:
        """The number and its interval."""
        interval = self._interval(self.jackknife, self.bounds, inference)
        return Estimate(self.value, interval, len(self.samples), cluster_rows(self.clusters)[1])

    def difference(self, other: "Whole", inference: Inference) -> Estimate | None:
        """This column minus the other; None where they are not of the same samples."""
        if self.samples != other.samples:
            return None
        here, there = self.jackknife, other.jackknife
        apart = Jackknife(
            here.value - there.value, here.influences - there.influences, here.weights
        )
        interval = self._interval(apart, self.bounds.of_differences, inference)
        clusters = cluster_rows(self.clusters)[1]
        return Estimate(apart.value, interval, len(self.samples), clusters)

    def effects(self, other: "Whole") -> Float[np.ndarray, " groups"]:
        """What each group adds to the difference, as far as lifts are additive."""
        apart = self.jackknife.influences - other.jackknife.influences
        groups = len(apart)
        mean = (self.value - other.value) / groups
        return np.asarray(mean + apart * (groups - 1) / groups)

    @cached_property
    def jackknife(self) -> Jackknife:
        """The number, with each group's lift."""
        rows, groups = part_rows(self.clusters)
        lift = np.zeros(groups)
        lift[rows] = self.lifts
        return Jackknife(self.value, lift, np.bincount(rows, minlength=groups).astype(np.float64))

    def _interval(self, jackknife: Jackknife, bounds: Bounds, inference: Inference) -> Interval:
        if len(jackknife.influences) > 1 and np.isnan(jackknife.influences).all():
            return Interval(None, None, GIVEN)
        return student(jackknife, bounds, inference.level)
