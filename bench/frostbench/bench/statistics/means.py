"""Means of scores: the percentile interval of a bootstrap over clusters."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from frostbench.bench.statistics.bootstrap import (
    ANY_SCORE,
    Bootstrap,
    Bounds,
    Estimate,
    cluster_rows,
    refuse_repeats,
)


@dataclass(frozen=True, eq=False)
class Means:
    """What one row scored under one metric, sample by sample; its value is the mean.

    `bounds` are the metric's. Samples stand in the order of their ids.
    """

    samples: tuple[str, ...]
    clusters: tuple[str, ...]
    scores: Float[np.ndarray, " n"]
    bounds: Bounds = ANY_SCORE

    @staticmethod
    def of(entries: Iterable[tuple[str, str, float]], bounds: Bounds = ANY_SCORE) -> "Means":
        """The column of (sample, cluster, score), in whatever order they come.

        Raises:
            ValueError: a sample comes twice, or a score is infinite or not a number.
        """
        ordered = sorted(entries)
        samples = tuple(sample for sample, _, _ in ordered)
        refuse_repeats(samples)
        scores = np.array([score for _, _, score in ordered], dtype=np.float64)
        if not np.isfinite(scores).all():
            broken = samples[int(np.flatnonzero(~np.isfinite(scores))[0])]
            raise ValueError(f"the score of sample {broken!r} is infinite or not a number.")
        return Means(
            samples, tuple(cluster for _, cluster, _ in ordered), scores, bounds or Bounds()
        )

    def on(self, samples: Collection[str]) -> "Means":
        """The same column on those of its samples that are asked for."""
        keep = np.array([sample in samples for sample in self.samples], dtype=bool)
        if keep.all():
            return self
        return Means(
            tuple(s for s, kept in zip(self.samples, keep, strict=True) if kept),
            tuple(c for c, kept in zip(self.clusters, keep, strict=True) if kept),
            self.scores[keep],
            self.bounds,
        )

    def estimate(self, bootstrap: Bootstrap) -> Estimate | None:
        """The mean and its interval; None without samples.

        The interval is the bootstrap's percentiles. Two cases have no spread to resample:
        - a single cluster, or one sample: no interval, unless the next case applies;
        - all scores at a bound of the metric (0 % or 100 % right): the exact binomial interval
          of Clopper and Pearson with clusters for trials. It holds for every score within the
          bounds, since P(score at a bound) is never above 1 - |mean - bound| / range.
        """
        if not self.samples:
            return None
        value = float(self.scores.mean())
        rows, clusters = cluster_rows(self.clusters)
        interval = self._at_a_bound(bootstrap, clusters)
        if interval is None and clusters > 1:
            totals = np.bincount(rows, self.scores, clusters)
            counts = np.bincount(rows, minlength=clusters)
            replicates = np.concatenate(
                [totals[drawn].sum(1) / counts[drawn].sum(1) for drawn in bootstrap.draws(clusters)]
            )
            quantiles = np.quantile(replicates, bootstrap.tails)
            # Rounding alone can leave the mean of equal scores outside.
            interval = min(float(quantiles[0]), value), max(float(quantiles[1]), value)
        low, high = interval or (None, None)
        return Estimate(value, low, high, len(self.samples), clusters)

    def difference(self, other: "Means", bootstrap: Bootstrap) -> Estimate | None:
        """This column less the other, on the samples that both have; None where there are none.

        Samples are paired and resampled together. That all differences lie at a bound (one row
        right and the other wrong, each time) is treated as in `estimate`.
        """
        mine, yours = self.on(set(other.samples)), other.on(set(self.samples))
        paired = Means(
            mine.samples, mine.clusters, mine.scores - yours.scores, self.bounds.of_differences
        )
        return paired.estimate(bootstrap)

    def _at_a_bound(self, bootstrap: Bootstrap, clusters: int) -> tuple[float, float] | None:
        lower, upper = self.bounds.lower, self.bounds.upper
        if lower is None or upper is None:
            return None
        reach = (upper - lower) * (1 - bootstrap.tails[0] ** (1 / clusters))
        if (self.scores == lower).all():
            return lower, lower + reach
        if (self.scores == upper).all():
            return upper - reach, upper
        return None
