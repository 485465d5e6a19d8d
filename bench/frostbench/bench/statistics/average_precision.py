"""Average precision of a set of images, with a jackknife interval."""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Int

from frostbench.bench.statistics.inference import (
    Bounds,
    Estimate,
    Inference,
    Interval,
    cluster_rows,
    part_rows,
    refuse_repeats,
)
from frostbench.bench.statistics.intervals import Jackknife, skewed_logit, student
from frostbench.bench.statistics.rankings import Curve, Matches, curves_of, mean_area

HALVES = 8
FEWEST = 10
"""Fewest things a class (mean over classes) with which an interval was seen to cover."""
FEW_THINGS = f"none: with fewer than {FEWEST} things a class, no interval was seen to cover"
BY_JACKKNIFE = (
    "Student's t, jackknife over clusters, corrected for skewness and for the excess of few images"
)
SHARES = Bounds(0.0, 1.0)


@dataclass(frozen=True, eq=False)
class AveragePrecision:
    """The scores of one row under a metric that ranks detections of many images together.

    The value is the mean over classes that have things, and over thresholds, of the interpolated
    precision at 101 recalls. Samples stand in the order of their ids; among equal scores, the
    earlier sample's comes first.
    """

    samples: tuple[str, ...]
    clusters: tuple[str, ...]
    matches: tuple[tuple[Matches, ...], ...]

    @staticmethod
    def of(
        entries: Iterable[tuple[str, str, Sequence[Matches]]],
    ) -> "AveragePrecision":
        """The column of (sample, cluster, matches), in whatever order they come.

        Raises:
            ValueError: a sample comes twice, or has marks for more or fewer thresholds than others.
        """
        ordered = sorted(entries, key=lambda entry: entry[0])
        samples = tuple(entry[0] for entry in ordered)
        refuse_repeats(samples)
        matches = tuple(tuple(entry[2]) for entry in ordered)
        thresholds = {len(row) for found in matches for one in found for row in one.marks}
        if len(thresholds) > 1:
            raise ValueError(f"detections of one metric have {sorted(thresholds)} marks each.")
        return AveragePrecision(samples, tuple(entry[1] for entry in ordered), matches)

    def on(self, samples: Collection[str]) -> "AveragePrecision":
        """The same column on those of its samples that are asked for."""
        kept = [place for place, sample in enumerate(self.samples) if sample in samples]
        if len(kept) == len(self.samples):
            return self
        return replace(
            self,
            samples=tuple(self.samples[place] for place in kept),
            clusters=tuple(self.clusters[place] for place in kept),
            matches=tuple(self.matches[place] for place in kept),
        )

    def estimate(self, inference: Inference) -> Estimate | None:
        """The value and its interval; None where there is nothing to be found.

        The lower end is that of a value reduced by `excess`, so that the interval also covers the
        value of many more images. It is computed with and without log odds, which reach too far up
        near 0 and too little down near 1: each end is the lower of the two.
        """
        found = self.jackknife
        if found is None:
            return None
        if sum(curve.things.sum() for curve in self._curves) < FEWEST * len(self._curves):
            return self._estimate(Interval(None, None, FEW_THINGS))
        lowered = replace(found, value=max(0.0, found.value - self.excess))
        high, low = (student(one, SHARES, inference.level) for one in (found, lowered))
        if high.low is None:
            return self._estimate(high)
        odds, lowered_odds = (skewed_logit(one, inference.level) for one in (found, lowered))
        ends = [
            min(end for end in pair if end is not None)
            for pair in ((low.low, lowered_odds.low), (high.high, odds.high))
        ]
        return self._estimate(Interval(ends[0], ends[1], BY_JACKKNIFE))

    def difference(self, other: "AveragePrecision", inference: Inference) -> Estimate | None:
        """This column minus the other, paired on the samples that both have; None without any."""
        mine, yours = self.on(set(other.samples)), other.on(set(self.samples))
        here, there = mine.jackknife, yours.jackknife
        if here is None or there is None:
            return None
        apart = Jackknife(
            here.value - there.value, here.influences - there.influences, here.weights
        )
        interval, excess = (
            student(apart, SHARES.of_differences, inference.level),
            mine.excess - yours.excess,
        )
        if interval.low is not None and interval.high is not None:
            low, high = interval.low - max(0.0, excess), interval.high - min(0.0, excess)
            interval = replace(interval, low=max(-1.0, low), high=min(1.0, high))
        return Estimate(apart.value, interval, len(mine.samples), mine._count)

    @cached_property
    def jackknife(self) -> Jackknife | None:
        """The value with and without each cluster, or group of them; None where it has none.

        A cluster's weight is the number of things that it shows.
        """
        if not self._curves:
            return None
        groups = self.groups[1]
        every = np.ones((1 + groups, groups), dtype=bool)
        every[1:][np.diag_indices(groups)] = False
        # Without the only cluster that shows things nothing is left, which counts as 0.
        value, *without = np.nan_to_num(mean_area(self._curves, every))
        weights = 1e-9 + np.sum([curve.things for curve in self._curves], axis=0)
        return Jackknife(float(value), value - np.array(without), weights)

    @cached_property
    def excess(self) -> float:
        """By how much the value of this few images exceeds that of very many.

        The best precision from a recall on is too high where a class has few things, and more so
        for half of the clusters. The mean amount by which drawn halves exceed the whole is (√2 - 1)
        times the excess, if that falls with the root of their number; at least 0.
        """
        groups = self.groups[1]
        if self.jackknife is None or groups < 2:
            return 0.0
        draw = np.random.default_rng(groups)
        half = np.array([draw.permutation(groups) < groups // 2 for _ in range(HALVES)])
        halves = mean_area(self._curves, np.concatenate([half, ~half]))
        beyond = float(np.nanmean(halves)) - self.jackknife.value
        return max(0.0, beyond / (math.sqrt(2) - 1))

    def _estimate(self, interval: Interval) -> Estimate:
        assert self.jackknife is not None
        return Estimate(self.jackknife.value, interval, len(self.samples), self._count)

    @property
    def _count(self) -> int:
        return cluster_rows(self.clusters)[1]

    @cached_property
    def groups(self) -> tuple[Int[np.ndarray, " n"], int]:
        """For each sample the group that is left out with it, and how many there are.

        Each cluster is a group of its own, up to `GROUPS` of them; more are dealt out in turn.
        """
        return part_rows(self.clusters)

    @cached_property
    def _curves(self) -> Sequence["Curve"]:
        rows, groups = self.groups
        return curves_of(zip(rows.tolist(), self.matches, strict=True), groups)


def ranked_value(matches: Sequence[Matches]) -> float | None:
    """The average precision of one sample alone; None where it shows nothing that counts."""
    found = AveragePrecision.of([("", "", matches)]).jackknife
    return None if found is None else found.value


def check_matches(matches: Sequence[Matches]) -> None:
    """Check that a column can read what one sample adds.

    Raises:
        ValueError: a class comes twice, or detections have marks for different thresholds.
    """
    names = [one.name for one in matches]
    if len(set(names)) < len(names):
        raise ValueError(f"a class comes twice: {', '.join(sorted(names))}.")
    if len({len(row) for one in matches for row in one.marks}) > 1:
        raise ValueError("detections of one sample have different numbers of marks.")
