"""Values of whole sets from summed counts: BLEU, cumulative IoU, F1."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

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
from frostbench.bench.statistics.pooling import Pooling, checked_counts, pooling_named


@dataclass(frozen=True, eq=False)
class Pooled:
    """What one row scored under a pooled metric; its value is a formula over summed counts.

    `pooling` names the formula. Samples stand in the order of their ids.
    """

    samples: tuple[str, ...]
    clusters: tuple[str, ...]
    counts: Float[np.ndarray, "n k"]
    pooling: str
    bounds: Bounds = ANY_SCORE
    _kept: dict[Bootstrap, Float[np.ndarray, "replicates k"]] = field(
        default_factory=dict, repr=False
    )

    @staticmethod
    def of(
        entries: Iterable[tuple[str, str, Sequence[float]]],
        pooling: str,
        bounds: Bounds = ANY_SCORE,
    ) -> "Pooled":
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
        return Pooled(samples, tuple(entry[1] for entry in ordered), array, pooling, bounds)

    def on(self, samples: Collection[str]) -> "Pooled":
        """The same column on those of its samples that are asked for."""
        keep = np.array([sample in samples for sample in self.samples], dtype=bool)
        if keep.all():
            return self
        return Pooled(
            tuple(s for s, kept in zip(self.samples, keep, strict=True) if kept),
            tuple(c for c, kept in zip(self.clusters, keep, strict=True) if kept),
            self.counts[keep],
            self.pooling,
            self.bounds,
        )

    def estimate(self, bootstrap: Bootstrap) -> Estimate | None:
        """The value and its interval; None without samples, or where sums have no value (0 / 0).

        The interval is the bootstrap's percentiles over resampled sums; resampled sets without a
        value are left out. A share of which no cluster has any (no matching 4-gram), or every
        cluster all, has no spread to resample. The far end of the interval then takes that share
        to be as large, or as small, as Clopper and Pearson allow with clusters for trials.
        """
        if not self.samples:
            return None
        value = float(self._formula(self.counts.sum(0)))
        clusters = cluster_rows(self.clusters)[1]
        if np.isnan(value):
            return None
        low, high = self._interval(value, clusters, bootstrap) or (None, None)
        return Estimate(value, low, high, len(self.samples), clusters)

    def difference(self, other: "Pooled", bootstrap: Bootstrap) -> Estimate | None:
        """This column less the other, on the samples that both have; None where there are none.

        Both are resampled alike; the interval is the percentiles of the differences.

        Raises:
            ValueError: the two are pooled by different formulas.
        """
        if self.pooling != other.pooling:
            raise ValueError(
                f"a column pooled by {self.pooling!r} has no difference to one pooled by "
                f"{other.pooling!r}: they are of different metrics."
            )
        mine, yours = self.on(set(other.samples)), other.on(set(self.samples))
        if not mine.samples:
            return None
        value = float(mine._formula(mine.counts.sum(0)) - yours._formula(yours.counts.sum(0)))
        clusters = cluster_rows(mine.clusters)[1]
        if np.isnan(value):
            return None
        replicates = mine._formula(mine._sums(bootstrap)) - yours._formula(yours._sums(bootstrap))
        interval = _quantiles(replicates, value, bootstrap) if clusters > 1 else None
        low, high = interval or (None, None)
        return Estimate(value, low, high, len(mine.samples), clusters)

    @property
    def _pooling(self) -> Pooling:
        return pooling_named(self.pooling)

    def _formula(self, sums: Float[np.ndarray, "*sets k"]) -> Float[np.ndarray, "*sets"]:
        return self._pooling.formula(sums)

    def _sums(self, bootstrap: Bootstrap) -> Float[np.ndarray, "replicates k"]:
        """Sums of resampled sets, kept: every pair of rows asks for them again."""
        if bootstrap not in self._kept:
            rows, clusters = cluster_rows(self.clusters)
            totals = np.stack([np.bincount(rows, column, clusters) for column in self.counts.T], -1)
            self._kept[bootstrap] = np.concatenate(
                [
                    np.stack([column[drawn].sum(1) for column in totals.T], -1)
                    for drawn in bootstrap.draws(clusters)
                ]
            )
        return self._kept[bootstrap]

    def _interval(
        self, value: float, clusters: int, bootstrap: Bootstrap
    ) -> tuple[float, float] | None:
        shares, counts = self._pooling.shares, self.counts
        none = [(part, whole) for part, whole in shares if not counts[:, part].any()]
        full = [
            (part, whole) for part, whole in shares if (counts[:, part] == counts[:, whole]).all()
        ]
        if clusters < 2 and len(shares) not in (len(none), len(full)):
            return None
        sums = self._sums(bootstrap) if clusters > 1 else counts.sum(0, keepdims=True)
        less, more = sums.copy(), sums.copy()
        reach = 1 - bootstrap.tails[0] ** (1 / clusters)
        for part, whole in none:
            more[:, part] = reach * more[:, whole]
        for part, whole in full:
            less[:, part] = (1 - reach) * less[:, whole]
        lows = _quantiles(self._formula(less), value, bootstrap)
        highs = _quantiles(self._formula(more), value, bootstrap)
        if lows is None or highs is None:
            return None
        return self.bounds.clip(lows[0]), self.bounds.clip(highs[1])


def _quantiles(
    replicates: Float[np.ndarray, " replicates"], value: float, bootstrap: Bootstrap
) -> tuple[float, float] | None:
    """The interval between the tails, never without the value; None where no replicate has one.

    Rounding alone can leave the value of equal samples outside.
    """
    known = replicates[~np.isnan(replicates)]
    if not len(known):
        return None
    low, high = np.quantile(known, bootstrap.tails)
    return min(float(low), value), max(float(high), value)
