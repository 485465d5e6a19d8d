"""Fréchet distances between two sets of features, with intervals.

Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium",
NeurIPS 2017, https://arxiv.org/abs/1706.08500, equation 6. The distance of n samples is biased by
an amount that depends on n, so only columns over the same samples are ever compared.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
from jaxtyping import Float

from frostbench.bench.statistics.bootstrap import (
    ANY_DISTANCE,
    ANY_SCORE,
    Bootstrap,
    Bounds,
    Estimate,
    cluster_rows,
    refuse_repeats,
)

WORK = 1.7e9  # replicates times rank**3: at most 2 s of one core, measured up to rank 256
FEWEST, MOST = 40, 200  # replicates; the standard deviation of 40 is known to 11 %, of 200 to 5 %


def frechet_distance(
    predictions: Float[np.ndarray, "n d"], targets: Float[np.ndarray, "n d"]
) -> float:
    """Fréchet distance of the normal distributions fitted to two sets of features; 0 is best.

    Covariances are divided by n - 1. From two samples on; it depends on n.
    """
    ones = np.ones(len(predictions))
    return _distance(predictions, targets, ones)


@dataclass(frozen=True, eq=False)
class Frechet:
    """What one row scored under a set metric; its value is one distance of all samples.

    Feature vectors of predictions and targets stand in the order of the samples' ids.
    """

    samples: tuple[str, ...]
    clusters: tuple[str, ...]
    predictions: Float[np.ndarray, "n d"]
    targets: Float[np.ndarray, "n d"]
    bounds: Bounds = ANY_DISTANCE
    _kept: dict[Bootstrap, Float[np.ndarray, " replicates"]] = field(
        default_factory=dict, repr=False
    )

    @staticmethod
    def of(
        entries: Iterable[tuple[str, str, Float[np.ndarray, " d"], Float[np.ndarray, " d"]]],
    ) -> "Frechet":
        """The column of (sample, cluster, features of prediction, of target), in any order.

        Raises:
            ValueError: a sample comes twice, or a feature is infinite or not a number.
        """
        ordered = sorted(entries, key=lambda entry: entry[0])
        samples = tuple(entry[0] for entry in ordered)
        refuse_repeats(samples)
        width = len(ordered[0][2]) if ordered else 0
        predictions = np.array([e[2] for e in ordered], dtype=np.float64).reshape(
            len(ordered), width
        )
        targets = np.array([e[3] for e in ordered], dtype=np.float64).reshape(len(ordered), width)
        finite = np.isfinite(predictions).all(1) & np.isfinite(targets).all(1)
        if not finite.all():
            broken = samples[int(np.flatnonzero(~finite)[0])]
            raise ValueError(f"a feature of sample {broken!r} is infinite or not a number.")
        return Frechet(samples, tuple(entry[1] for entry in ordered), predictions, targets)

    def on(self, samples: Collection[str]) -> "Frechet":
        """The same column on those of its samples that are asked for."""
        keep = np.array([sample in samples for sample in self.samples], dtype=bool)
        if keep.all():
            return self
        return Frechet(
            tuple(s for s, kept in zip(self.samples, keep, strict=True) if kept),
            tuple(c for c, kept in zip(self.clusters, keep, strict=True) if kept),
            self.predictions[keep],
            self.targets[keep],
            self.bounds,
        )

    def estimate(self, bootstrap: Bootstrap) -> Estimate | None:
        """The distance and its interval; None with fewer than two samples.

        Resampled sets repeat samples, which makes their distances larger than the value, so the
        interval is not their percentiles but the value -+ 1.96 of their standard deviations: how
        far the distance of so many samples would move on others. It is wide rather than narrow:
        with few samples those deviations are up to 1.6 times the true ones. Replicates are 200
        up to rank 204 (the lesser of samples and width), 101 at 256, and 40 from 349 on.
        """
        if len(self.samples) < 2:
            return None
        value = frechet_distance(self.predictions, self.targets)
        clusters = cluster_rows(self.clusters)[1]
        return self._around(value, self._replicates(bootstrap), clusters, bootstrap, self.bounds)

    def difference(self, other: "Frechet", bootstrap: Bootstrap) -> Estimate | None:
        """This column less the other, on the samples that both have; None with fewer than two.

        Both are resampled alike, so that what their sets share cancels.
        """
        mine, yours = self.on(set(other.samples)), other.on(set(self.samples))
        if len(mine.samples) < 2:
            return None
        value = frechet_distance(mine.predictions, mine.targets) - frechet_distance(
            yours.predictions, yours.targets
        )
        replicates = mine._replicates(bootstrap) - yours._replicates(bootstrap)
        clusters = cluster_rows(mine.clusters)[1]
        return mine._around(value, replicates, clusters, bootstrap, ANY_SCORE)

    def _around(
        self,
        value: float,
        replicates: Float[np.ndarray, " replicates"],
        clusters: int,
        bootstrap: Bootstrap,
        bounds: Bounds,
    ) -> Estimate:
        samples = len(self.samples)
        if clusters < 2:
            return Estimate(value, None, None, samples, clusters)
        reach = NormalDist().inv_cdf(bootstrap.tails[1]) * float(replicates.std(ddof=1))
        return Estimate(value, bounds.clip(value - reach), value + reach, samples, clusters)

    def _replicates(self, bootstrap: Bootstrap) -> Float[np.ndarray, " replicates"]:
        """Distances of resampled sets, kept: every pair of rows asks for them again."""
        if bootstrap not in self._kept:
            rows, clusters = cluster_rows(self.clusters)
            rank = min(self.predictions.shape)
            replicates = int(np.clip(WORK / rank**3, FEWEST, min(MOST, bootstrap.replicates)))
            distances = [
                _distance(
                    self.predictions, self.targets, np.bincount(drawn, minlength=clusters)[rows]
                )
                for block in bootstrap.draws(clusters, max(2, replicates))
                for drawn in block
            ]
            self._kept[bootstrap] = np.array(distances)
        return self._kept[bootstrap]


def _distance(
    x: Float[np.ndarray, "n d"], y: Float[np.ndarray, "n d"], weights: np.ndarray
) -> float:
    """The distance of two sets in which each sample stands `weights` times."""
    drawn = weights > 0
    weight = weights[drawn, None].astype(np.float64)
    total = float(weight.sum())
    if total < 2:
        raise ValueError("a Fréchet distance needs at least two samples.")
    x, y = x[drawn], y[drawn]
    mean_x, mean_y = (weight * x).sum(0) / total, (weight * y).sum(0) / total
    root = np.sqrt(weight / (total - 1))
    a, b = root * (x - mean_x), root * (y - mean_y)
    if len(a) > a.shape[1]:
        a, b = np.linalg.qr(a, mode="r"), np.linalg.qr(b, mode="r")
    # With covariances a'a and b'b, the trace of the root of their product is the sum of the
    # singular values of a b': no root of a matrix, and no larger than the smaller of n and d.
    shared = float(np.linalg.svd(a @ b.T, compute_uv=False).sum())
    spread = float(np.square(a).sum() + np.square(b).sum())
    return max(0.0, float(np.square(mean_x - mean_y).sum()) + spread - 2 * shared)
