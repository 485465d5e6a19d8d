"""Tests whether two rows differ: a sign-flip test over clusters, corrected by Holm.

Two rows that are equally good could have swapped their answers in any cluster. The test compares
their difference with those that all such swaps would have given.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr, ndtri

from frostbench.bench.statistics.average_precision import AveragePrecision
from frostbench.bench.statistics.frechet import Frechet
from frostbench.bench.statistics.inference import Estimate, Inference
from frostbench.bench.statistics.sums import Sums
from frostbench.bench.statistics.swaps import SwappedRows, swapped_rows
from frostbench.bench.statistics.wholes import Whole

EXACT_CLUSTERS = 13  # up to 2**12 flips are enumerated; beyond, flips are drawn
CELLS_AT_ONCE = 1 << 22  # values held at a time, 32 MiB
POWER = 0.8

Column: TypeAlias = Sums | Frechet | AveragePrecision | Whole
"""The scores of one row under one metric."""


@dataclass(frozen=True)
class PairTest:
    """The difference of two rows (first minus second), with its interval and p value.

    Attributes:
        difference: on the samples that both have; None where there are none.
        p: of the sign-flip test, corrected for the other comparisons; 1 where there is no test.
        sign: 1 or -1 where the first is significantly above or below the second, and 0 where the
            two are not told apart.
        drawn: whether swaps were enumerated or drawn, instead of using their limit.
    """

    difference: Estimate | None
    p: float
    sign: int
    drawn: bool = True


def estimated(column: Column, inference: Inference) -> Estimate | None:
    """The column's value and interval; None where it has no value."""
    return column.estimate() if isinstance(column, Frechet) else column.estimate(inference)


def difference(one: Column, two: Column, inference: Inference) -> Estimate | None:
    """First column minus second, on the samples that both have, paired.

    Raises:
        TypeError: the two are of different kinds.
        ValueError: a sample lies in another cluster in one of them than in the other.
    """
    if not isinstance(one, Frechet) and not isinstance(two, Frechet):
        _refuse_other_clusters(one, two)
    match one, two:
        case Sums(), Sums():
            return one.difference(two, inference)
        case AveragePrecision(), AveragePrecision():
            return one.difference(two, inference)
        case Whole(), Whole():
            return one.difference(two, inference)
        case Frechet(), Frechet():
            return one.difference(two)
        case _:
            raise TypeError(
                f"a column of {type(one).__name__} has no difference to one of "
                f"{type(two).__name__}: they are of different metrics."
            )


def _refuse_other_clusters(
    one: Sums | AveragePrecision | Whole, two: Sums | AveragePrecision | Whole
) -> None:
    """Refuse rows whose samples lie in different clusters, since rows are paired by cluster."""
    if (one.samples, one.clusters) == (two.samples, two.clusters):
        return
    lies = dict(zip(one.samples, one.clusters, strict=True))
    for sample, cluster in zip(two.samples, two.clusters, strict=True):
        if lies.get(sample, cluster) != cluster:
            raise ValueError(
                f"sample {sample!r} lies in cluster {lies[sample]!r} in one row and in {cluster!r} "
                "in another; samples of rows that are compared lie in the same."
            )


def compare(pairs: Sequence[tuple[Column, Column]], inference: Inference) -> list[PairTest]:
    """Each pair's difference and test; the pairs are one family, corrected together by Holm."""
    differences = [difference(one, two, inference) for one, two in pairs]
    swaps = {
        index: swap
        for index, pair in enumerate(pairs)
        if differences[index] is not None and (swap := swapped_rows(*pair)) is not None
    }
    limits = {index: p for index, swap in swaps.items() if (p := swap.beyond()) is not None}
    p_values = _p_values(list(swaps.values()), list(map(limits.get, swaps)), inference)
    corrected = dict(zip(swaps, holm(p_values), strict=True))
    found = []
    for index, estimate in enumerate(differences):
        p = corrected.get(index, 1.0)
        value = estimate.value if estimate is not None else 0.0
        sign = (int(value > 0) - int(value < 0)) if p <= inference.alpha + 1e-12 else 0
        found.append(PairTest(estimate, p, sign, index not in limits))
    return found


def holm(p_values: Sequence[float]) -> list[float]:
    """P values after Holm's correction, which controls the chance of any false positive.

    Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scand. J. Statist. 1979.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    corrected, least = [1.0] * len(p_values), 0.0
    for step, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        least = max(least, min(1.0, (len(p_values) - step) * p_values[index]))
        corrected[index] = least
    return corrected


def fewest_clusters(comparisons: int, inference: Inference) -> int:
    """The fewest clusters with which one of this many sign-flip tests can succeed.

    >>> fewest_clusters(1, Inference()), fewest_clusters(28, Inference())
    (6, 11)
    """
    return 1 + math.ceil(math.log2(comparisons / inference.alpha) - 1e-12)


def _p_values(
    swaps: Sequence[SwappedRows], limits: Sequence[float | None], inference: Inference
) -> list[float]:
    """The share of sign flips that leave a pair at least as far apart as it is.

    A limit is never less than the smallest p that drawn flips could give.
    """
    alike: Mapping[tuple[int, int], list[int]] = defaultdict(list)
    p_values = [1.0] * len(swaps)
    for index, (swap, limit) in enumerate(zip(swaps, limits, strict=True)):
        flips = _flips(swap, len(swaps), inference)
        if limit is not None:
            p_values[index] = max(limit, 1 / (flips + 1))
        elif swap.clusters:
            alike[swap.clusters, flips].append(index)
    for (clusters, flips), members in alike.items():
        unturned = np.ones((1, clusters))
        far = [float(swaps[index].after(unturned)[0]) for index in members]
        counts, drawn = np.zeros(len(members)), 0
        for signs in _signs(clusters, flips, inference.seed):
            drawn += len(signs)
            for place, index in enumerate(members):
                reached = swaps[index].after(signs) >= far[place] * (1 - 1e-9) - 1e-15
                counts[place] += reached.sum()
        more = 0 if clusters <= EXACT_CLUSTERS else 1  # the observed pair counts as one draw
        for place, index in enumerate(members):
            p_values[index] = float((counts[place] + more) / (drawn + more))
    return p_values


def _flips(swap: SwappedRows, comparisons: int, inference: Inference) -> int:
    """How many flips are drawn: enough for the smallest p that Holm's correction needs."""
    return max(inference.flips // swap.one_in, math.ceil(4 * comparisons / inference.alpha))


def _signs(clusters: int, flips: int, seed: int) -> Iterator[Float[np.ndarray, "block clusters"]]:
    """Every way to flip the clusters except the first, or drawn flips in blocks.

    Flipping all of them changes no distance, so the first can stay.
    """
    if clusters <= EXACT_CLUSTERS:
        yield _every_sign(clusters)
        return
    generator = np.random.default_rng((seed, clusters))
    block = max(1, CELLS_AT_ONCE // clusters)
    while flips > 0:
        yield 2.0 * generator.integers(2, size=(min(block, flips), clusters)) - 1.0
        flips -= block


@lru_cache(maxsize=EXACT_CLUSTERS)
def _every_sign(clusters: int) -> Float[np.ndarray, "flips clusters"]:
    ways = np.arange(1 << (clusters - 1))[:, None] >> np.arange(clusters)
    return 1.0 - 2.0 * (ways & 1)


def clusters_needed(
    one: Column, two: Column, found: PairTest, comparisons: int, inference: Inference
) -> int | None:
    """How many clusters would tell a difference apart in four cases of five.

    At the observed difference and spread of clusters; None where there is no difference.
    """
    estimate = found.difference
    swap = swapped_rows(one, two) if estimate is not None and estimate.value else None
    if estimate is None or swap is None or not swap.clusters:
        return None
    # Clusters without a difference are not flipped: they add no spread, but count.
    effects = np.zeros(swap.units)
    effects[: swap.clusters] = swap.effects()
    mean = abs(float(effects.mean()))
    spread = float(effects.std(ddof=1)) / mean if swap.units > 1 and mean else math.inf
    if not math.isfinite(spread):
        return None
    needed = clusters_for(spread, comparisons, inference)
    return math.ceil(needed * estimate.clusters / swap.units)


def clusters_for(spread: float, comparisons: int, inference: Inference) -> int:
    """Clusters that tell two rows apart in four cases of five, at this ratio of spread.

    The sample size of a t-test (Guenther, The American Statistician 1981) at Bonferroni's level,
    which is Holm's first step. The fewest clusters are too few if one of them will point the other
    way in more than one case of five.

    >>> clusters_for(0.3, 15, Inference()), clusters_for(1.0, 15, Inference())
    (10, 19)
    """
    quantile = float(ndtri(1 - inference.alpha / (2 * comparisons)))
    powered = math.ceil(((quantile + float(ndtri(POWER))) * spread) ** 2 + quantile**2 / 2)
    fewest = fewest_clusters(comparisons, inference)
    agree = float(ndtr(1 / spread)) ** fewest if spread else 1.0
    return max(powered, fewest if agree >= POWER else fewest + 1)
