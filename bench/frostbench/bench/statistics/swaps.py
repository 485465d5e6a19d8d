"""Differences of two rows after some clusters swapped their answers, for the sign-flip test."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import ndtr

from frostbench.bench.statistics.average_precision import AveragePrecision
from frostbench.bench.statistics.rankings import Curve, curves_of, mean_area
from frostbench.bench.statistics.sums import Sums, paired
from frostbench.bench.statistics.wholes import Whole

MANY = 64  # clusters
DRAWN_CLUSTERS = 1000
"""With more differing clusters, sums are compared with the limit of all swaps."""
LEAST_KURTOSIS = -0.02  # that of 100 equal clusters


@runtime_checkable
class SwappedRows(Protocol):
    """Two rows on the samples that both have."""

    @property
    def clusters(self) -> int:
        """How many clusters, or groups of them, a swap changes, since the two differ there."""
        ...

    @property
    def units(self) -> int:
        """How many clusters, or groups of them, there are, whether or not the two differ there."""
        ...

    @property
    def one_in(self) -> int:
        """Where flips are costly, one in this many of the usual draws is enough."""
        ...

    def after(self, signs: Float[np.ndarray, "flips clusters"]) -> Float[np.ndarray, " flips"]:
        """The distance of the two if clusters of sign -1 swap; infinite without a value."""
        ...

    def effects(self) -> Float[np.ndarray, " clusters"]:
        """What each of these clusters adds to the difference."""
        ...

    def beyond(self) -> float | None:
        """The share of all swaps that leave the two at least as far apart, where they are many.

        None where the swaps themselves must be computed.
        """
        ...


def swapped_rows(one: Any, two: Any) -> SwappedRows | None:
    """The swaps of two columns; None for distances, whose parts are not known."""
    match one, two:
        case Sums(), Sums():
            return _Summed.of(one, two)
        case AveragePrecision(), AveragePrecision():
            return _RankedAnew.of(one, two)
        case Whole(), Whole():
            return _Lifted.of(one, two)
        case _:
            return None


@dataclass(frozen=True, eq=False)
class _Summed:
    """Two columns' sums in each cluster: their total, and the differences that a swap turns."""

    one: Sums
    total: Float[np.ndarray, " k"]
    halves: Float[np.ndarray, "clusters k"]

    @staticmethod
    def of(one: Sums, two: Sums) -> "_Summed":
        mine, yours = paired(one, two)
        apart = (mine.totals - yours.totals) / 2
        total = (mine.totals + yours.totals).sum(0) / 2
        return _Summed(mine, total, apart[apart.any(1)])

    @property
    def clusters(self) -> int:
        return len(self.halves)

    @property
    def units(self) -> int:
        return len(self.one.totals)

    @property
    def one_in(self) -> int:
        return 1

    def after(self, signs: Float[np.ndarray, "flips clusters"]) -> Float[np.ndarray, " flips"]:
        value = self._apart(signs @ self.halves)
        return np.where(np.isnan(value), np.inf, np.abs(value))

    def effects(self) -> Float[np.ndarray, " clusters"]:
        """The slope of the formula between the two."""
        turned = self.halves.sum(0)
        return np.asarray(self._apart(turned) - self._apart(turned - self.halves))

    def beyond(self) -> float | None:
        """By the normal limit of the clusters' sum, each with one sign or the other.

        With e_c what cluster c adds alone, the sum of ±e_c has variance V = Σ e_c² and excess
        kurtosis κ = -2 Σ e_c⁴ / V². Edgeworth's expansion to κ (Hall, The Bootstrap and Edgeworth
        Expansion, 1992, section 2.3) gives P(|S| ≥ x √V) = 2 (1 - Φ(x)) + φ(x) κ/12 (x³ - 3x).
        Right and wrong answers add multiples of one number: x is taken half a step nearer to 0.
        """
        if self.clusters <= DRAWN_CLUSTERS:
            return None
        alone = np.abs(self._apart(self.halves))
        variance = float(np.square(alone).sum())
        kurtosis = -2 * float((alone**4).sum()) / variance**2 if variance else -np.inf
        if kurtosis < LEAST_KURTOSIS:  # a few clusters outweigh the others
            return None
        far = abs(float(self._apart(self.halves.sum(0)))) - float(alone.min())
        x = max(0.0, far) / math.sqrt(variance)
        density = math.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
        p = 2 * float(ndtr(-x)) + density * kurtosis / 12 * (x**3 - 3 * x)
        return min(1.0, max(0.0, p))

    def _apart(self, turned: Float[np.ndarray, "*sets k"]) -> Float[np.ndarray, "*sets"]:
        up, down = self.one.formula(self.total + turned), self.one.formula(self.total - turned)
        return np.asarray(up - down)


@dataclass(frozen=True, eq=False)
class _RankedAnew:
    """The detections of two columns; the second column's groups follow those of the first.

    `turning` are the groups in which the two differ.
    """

    curves: Sequence[Curve]
    groups: int
    turning: Int[np.ndarray, " clusters"]
    apart: Float[np.ndarray, " groups"]

    @staticmethod
    def of(one: AveragePrecision, two: AveragePrecision) -> "_RankedAnew":
        mine, yours = one.on(set(two.samples)), two.on(set(one.samples))
        rows, groups = mine.groups
        sides = list(zip(rows.tolist(), mine.matches, yours.matches, strict=True))
        # Sample by sample, so that equal scores keep the order of samples in either column.
        both = [pair for row, a, b in sides for pair in ((row, a), (groups + row, b))]
        turning = np.unique([row for row, a, b in sides if a != b]).astype(np.int64)
        here, there = mine.jackknife, yours.jackknife
        if here is None or there is None:
            return _RankedAnew([], groups, turning[:0], np.zeros(groups))
        apart = here.influences - there.influences
        return _RankedAnew(curves_of(both, 2 * groups), groups, turning, apart)

    @property
    def clusters(self) -> int:
        return len(self.turning)

    @property
    def units(self) -> int:
        return self.groups

    @property
    def one_in(self) -> int:
        # Each swap ranks all detections of both again.
        return 4 if self.groups <= MANY else 10

    def after(self, signs: Float[np.ndarray, "flips clusters"]) -> Float[np.ndarray, " flips"]:
        own: Bool[np.ndarray, "flips groups"] = np.ones((len(signs), self.groups), dtype=bool)
        own[:, self.turning] = signs > 0
        first, second = np.concatenate([own, ~own], 1), np.concatenate([~own, own], 1)
        apart: Float[np.ndarray, " flips"] = np.abs(
            mean_area(self.curves, first) - mean_area(self.curves, second)
        )
        return apart

    def effects(self) -> Float[np.ndarray, " clusters"]:
        """How much of the difference each group makes up."""
        lost: Float[np.ndarray, " clusters"] = self.apart[self.turning]
        return lost

    def beyond(self) -> None:
        """There are never that many groups."""


@dataclass(frozen=True, eq=False)
class _Lifted:
    """Contributions of groups of clusters to the difference of two numbers of the whole set.

    These numbers cannot be computed again after a swap; a group's contribution is taken to change
    its sign.
    """

    turning: Float[np.ndarray, " clusters"]
    units: int

    @staticmethod
    def of(one: Whole, two: Whole) -> "_Lifted | None":
        if one.samples != two.samples:
            return None
        effects = one.effects(two)
        if not np.isfinite(effects).all():
            return None
        return _Lifted(effects[effects != 0], len(effects))

    @property
    def clusters(self) -> int:
        return len(self.turning)

    @property
    def one_in(self) -> int:
        return 1

    def after(self, signs: Float[np.ndarray, "flips clusters"]) -> Float[np.ndarray, " flips"]:
        return np.asarray(np.abs(signs @ self.turning))

    def effects(self) -> Float[np.ndarray, " clusters"]:
        return self.turning

    def beyond(self) -> None:
        """There are never that many groups."""
