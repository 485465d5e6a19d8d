"""Fréchet distances between two sets of features.

Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium",
NeurIPS 2017, https://arxiv.org/abs/1706.08500, equation 6. The distance of n samples is biased by
an amount that depends on n, so only columns over the same samples are ever compared.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float

from frostbench.bench.statistics.inference import (
    Estimate,
    Interval,
    cluster_rows,
    refuse_repeats,
)

NO_INTERVAL = Interval(None, None, "none: a Fréchet distance of few samples has no honest interval")


def frechet_distance(
    predictions: Float[np.ndarray, "n d"], targets: Float[np.ndarray, "n d"]
) -> float:
    """Fréchet distance of the normal distributions fitted to two sets of features; 0 is best.

    Covariances are divided by n - 1. From two samples on; it depends on n.
    """
    total = len(predictions)
    if total < 2:
        raise ValueError("a Fréchet distance needs at least two samples.")
    mean_x, mean_y = predictions.mean(0), targets.mean(0)
    root = np.sqrt(1 / (total - 1))
    a, b = root * (predictions - mean_x), root * (targets - mean_y)
    if total > a.shape[1]:
        a, b = np.linalg.qr(a, mode="r"), np.linalg.qr(b, mode="r")
    # With covariances a'a and b'b, the trace of the root of their product is the sum of the
    # singular values of a b': no root of a matrix, and no larger than the smaller of n and d.
    shared = float(np.linalg.svd(a @ b.T, compute_uv=False).sum())
    spread = float(np.square(a).sum() + np.square(b).sum())
    return max(0.0, float(np.square(mean_x - mean_y).sum()) + spread - 2 * shared)


@dataclass(frozen=True, eq=False)
class Frechet:
    """The features of one row under a set metric, whose value is one distance of all samples.

    Feature vectors of predictions and targets stand in the order of the samples' ids.
    """

    samples: tuple[str, ...]
    clusters: tuple[str, ...]
    predictions: Float[np.ndarray, "n d"]
    targets: Float[np.ndarray, "n d"]

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
        shape = len(ordered), len(ordered[0][2]) if ordered else 0
        predictions = np.array([e[2] for e in ordered], dtype=np.float64).reshape(shape)
        targets = np.array([e[3] for e in ordered], dtype=np.float64).reshape(shape)
        finite = np.isfinite(predictions).all(1) & np.isfinite(targets).all(1)
        if not finite.all():
            broken = samples[int(np.flatnonzero(~finite)[0])]
            raise ValueError(f"a feature of sample {broken!r} is infinite or not a number.")
        return Frechet(samples, tuple(entry[1] for entry in ordered), predictions, targets)

    def on(self, samples: Collection[str]) -> "Frechet":
        """The same column on those of its samples that are asked for."""
        kept = [place for place, sample in enumerate(self.samples) if sample in samples]
        if len(kept) == len(self.samples):
            return self
        return replace(
            self,
            samples=tuple(self.samples[place] for place in kept),
            clusters=tuple(self.clusters[place] for place in kept),
            predictions=self.predictions[kept],
            targets=self.targets[kept],
        )

    def estimate(self) -> Estimate | None:
        """The distance, without an interval; None with fewer than two samples."""
        return None if self._distance is None else self._estimate(self._distance)

    def difference(self, other: "Frechet") -> Estimate | None:
        """This column minus the other, on the samples that both have; None with fewer than two."""
        mine, yours = self.on(set(other.samples)), other.on(set(self.samples))
        if mine._distance is None or yours._distance is None:
            return None
        return mine._estimate(mine._distance - yours._distance)

    @cached_property
    def _distance(self) -> float | None:
        if len(self.samples) < 2:
            return None
        return frechet_distance(self.predictions, self.targets)

    def _estimate(self, value: float) -> Estimate:
        # Resampled sets repeat samples, which adds a bias of its own: no bootstrap is honest.
        return Estimate(value, NO_INTERVAL, len(self.samples), cluster_rows(self.clusters)[1])
