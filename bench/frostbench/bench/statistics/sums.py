"""Values made of sums over samples: means of scores, cumulative IoU, F1, BLEU."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float

from frostbench.bench.statistics.inference import (
    ANY_SCORE,
    Bounds,
    Estimate,
    Inference,
    Interval,
    cluster_rows,
    refuse_repeats,
)
from frostbench.bench.statistics.intervals import (
    AT_A_BOUND,
    Jackknife,
    between,
    clopper_pearson,
    exact_share,
    logit,
    student,
)
from frostbench.bench.statistics.pooling import Pooling, checked_counts, pooling_named


@dataclass(frozen=True, eq=False)
class Sums:
    """The scores of one row under a metric whose value is a formula over sums of samples.

    `pooling` names the formula, and `bounds` are the metric's. Samples stand in the order of their
    ids.
    """

    samples: tuple[str, ...]
    clusters: tuple[str, ...]
    counts: Float[np.ndarray, "n k"]
    pooling: str
    bounds: Bounds = ANY_SCORE

    @staticmethod
    def of(
        entries: Iterable[tuple[str, str, Sequence[float]]],
        pooling: str,
        bounds: Bounds = ANY_SCORE,
    ) -> "Sums":
        """The column of (sample, cluster, counts), in whatever order they come.

        Raises:
            ValueError: a sample comes twice, there is no such pooling, or a sample's counts are
                not those that it sums.
        """
        ordered = sorted(entries, key=lambda entry: entry[0])
        samples = tuple(sample for sample, _, _ in ordered)
        refuse_repeats(samples)
        width = pooling_named(pooling).width
        rows = []
        for sample, _, counts in ordered:
            try:
                rows.append(checked_counts(pooling, counts))
            except ValueError as error:
                raise ValueError(f"sample {sample!r}: {error}") from error
        array = np.array(rows, dtype=np.float64).reshape(len(rows), width)
        return Sums(samples, tuple(entry[1] for entry in ordered), array, pooling, bounds)

    @staticmethod
    def of_means(entries: Iterable[tuple[str, str, float]], bounds: Bounds = ANY_SCORE) -> "Sums":
        """The column of (sample, cluster, score), whose value is the mean.

        Raises:
            ValueError: a sample comes twice, or a score is infinite or not a number.
        """
        return Sums.of(
            ((sample, where, (score, 1.0)) for sample, where, score in entries), "mean", bounds
        )

    def on(self, samples: Collection[str]) -> "Sums":
        """The same column on those of its samples that are asked for."""
        keep = np.array([sample in samples for sample in self.samples], dtype=bool)
        if keep.all():
            return self
        kept = np.flatnonzero(keep)
        return replace(
            self,
            samples=tuple(self.samples[i] for i in kept),
            clusters=tuple(self.clusters[i] for i in kept),
            counts=self.counts[kept],
        )

    def estimate(self, inference: Inference) -> Estimate | None:
        """The value and its interval; None without samples, or where sums have no value (0 / 0)."""
        if not self._has_value:
            return None
        interval = self._interval(inference.level, len(self.totals))
        return Estimate(self._jackknife.value, interval, len(self.samples), len(self.totals))

    def difference(self, other: "Sums", inference: Inference) -> Estimate | None:
        """This column minus the other, paired on the samples that both have; None without any.

        Raises:
            ValueError: the two are pooled by different formulas.
        """
        mine, yours = paired(self, other)
        if not mine._has_value or not yours._has_value:
            return None
        here, there = mine._jackknife, yours._jackknife
        if mine._is_right_or_wrong and yours._is_right_or_wrong:
            interval = mine._right_alone(yours, inference)
        else:
            apart = Jackknife(
                here.value - there.value, here.influences - there.influences, here.weights
            )
            interval = student(apart, self.bounds.of_differences, inference.level)
        samples, clusters = len(mine.samples), len(mine.totals)
        return Estimate(here.value - there.value, interval, samples, clusters)

    @cached_property
    def _asked(self) -> frozenset[str]:
        return frozenset(self.samples)

    @cached_property
    def totals(self) -> Float[np.ndarray, "clusters k"]:
        """The sums of each cluster, in the order of the clusters' names."""
        rows, clusters = cluster_rows(self.clusters)
        return np.stack([np.bincount(rows, column, clusters) for column in self.counts.T], -1)

    def formula(self, sums: Float[np.ndarray, "*sets k"]) -> Float[np.ndarray, "*sets"]:
        """The value of each row of sums."""
        return self._pooling.formula(sums)

    @property
    def _pooling(self) -> Pooling:
        return pooling_named(self.pooling)

    @cached_property
    def _jackknife(self) -> Jackknife:
        totals = self.totals
        every = totals.sum(0)
        value = float(self.formula(every))
        return Jackknife(
            value, value - self.formula(every - totals), totals[:, self._pooling.weight]
        )

    @property
    def _has_value(self) -> bool:
        return bool(self.samples) and not np.isnan(self._jackknife.value)

    @cached_property
    def _is_right_or_wrong(self) -> bool:
        """Whether every sample adds 0 or 1 to an equal total: the value is then a share."""
        if self.counts.shape[1] != 2 or not self.bounds.of_shares:
            return False
        scores, ones = self.counts.T
        return bool((ones == 1).all() and np.isin(scores, (0.0, 1.0)).all())

    def _right_alone(self, other: "Sums", inference: Inference) -> Interval:
        """Of a difference: from the shares that only this row, and only the other, has right."""
        mine, yours = self.counts.copy(), other.counts.copy()
        mine[:, 0] = np.maximum(0.0, self.counts[:, 0] - other.counts[:, 0])
        yours[:, 0] = np.maximum(0.0, other.counts[:, 0] - self.counts[:, 0])
        one, two = replace(self, counts=mine), replace(self, counts=yours)
        clusters = len(self.totals)
        ends = (side._interval(inference.level, clusters) for side in (one, two))
        return between(one._jackknife, two._jackknife, *ends)

    def _interval(self, level: float, clusters: int) -> Interval:
        if self._is_right_or_wrong or self.pooling == "mean":
            found = self._at_a_bound(level, float(clusters))
            if found is not None:
                return found
            if self._is_right_or_wrong:
                return exact_share(self._jackknife, len(self.samples), level)
        elif self.bounds.of_shares:
            return self._widened(level, float(clusters))
        return student(self._jackknife, self.bounds, level)

    def _at_a_bound(self, level: float, clusters: float) -> Interval | None:
        """The interval of a mean whose scores are all the best, or all the worst, possible.

        P(score at a bound) is never above 1 - |mean - bound| / range, whatever the scores are.
        """
        lower, upper = self.bounds.lower, self.bounds.upper
        if lower is None or upper is None:
            return None
        for bound, right in ((lower, 0.0), (upper, clusters)):
            if (self.counts[:, 0] == bound).all():
                low, high = clopper_pearson(right, clusters, level)
                span = upper - lower
                return Interval(lower + span * low, lower + span * high, AT_A_BOUND)
        return None

    def _widened(self, level: float, clusters: float) -> Interval:
        """On the logit scale; wider where no cluster has any of a share, or all have all of it.

        Such a share (no matching 4-gram) shows no spread, but may be as large, or as small, as
        Clopper and Pearson allow with clusters as trials.
        """
        value, shares, counts = self._jackknife.value, self._pooling.shares, self.counts
        none = [pair for pair in shares if not counts[:, pair[0]].any()]
        full = [pair for pair in shares if (counts[:, pair[0]] == counts[:, pair[1]]).all()]
        found = logit(self._jackknife, level)
        if not none and not full:
            return found
        # With a single cluster, only a value without other parts can be bounded.
        if found.low is None and len(shares) not in (len(none), len(full)):
            return found
        less, more = counts.sum(0), counts.sum(0)
        for part, whole in none:
            more[part] = clopper_pearson(0.0, clusters, level)[1] * more[whole]
        for part, whole in full:
            less[part] = clopper_pearson(clusters, clusters, level)[0] * less[whole]
        low = min(float(self.formula(less)), value if found.low is None else found.low)
        high = max(float(self.formula(more)), value if found.high is None else found.high)
        how = AT_A_BOUND if found.low is None else found.how
        return Interval(self.bounds.clip(low), self.bounds.clip(high), how)


def paired(one: Sums, two: Sums) -> tuple[Sums, Sums]:
    """Both on the samples that both have.

    Raises:
        ValueError: the two are pooled by different formulas.
    """
    if one.pooling != two.pooling:
        raise ValueError(
            f"a column pooled by {one.pooling!r} has no difference to one pooled by "
            f"{two.pooling!r}: they are of different metrics."
        )
    if one.samples == two.samples:  # at once where they are one and the same tuple
        return one, two
    return one.on(two._asked), two.on(one._asked)
