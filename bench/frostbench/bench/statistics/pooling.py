"""Values of a set as formulas over summed counts (F1, cumulative IoU, BLEU)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

Formula: TypeAlias = Callable[[Float[np.ndarray, "*sets k"]], Float[np.ndarray, "*sets"]]


@dataclass(frozen=True)
class Pooling:
    """A formula and what it reads.

    Attributes:
        width: how many sums it reads.
        shares: pairs of sums, the first a part of the second, as places in a row.
        weight: the place of the sum that says how much a sample weighs in the value.
        formula: from sums to the value; NaN where the sums have none.
    """

    width: int
    shares: tuple[tuple[int, int], ...]
    weight: int
    formula: Formula


def ratio(sums: Float[np.ndarray, "*sets 2"]) -> Float[np.ndarray, "*sets"]:
    """The first sum by the second; NaN where the second is 0.

    >>> float(ratio(np.array([3.0, 4.0])))
    0.75
    """
    first, second = sums[..., 0], sums[..., 1]
    values: Float[np.ndarray, "*sets"] = np.full_like(first, np.nan)
    np.divide(first, second, out=values, where=second != 0)
    return values


def bleu(sums: Float[np.ndarray, "*sets 10"]) -> Float[np.ndarray, "*sets"]:
    """BLEU-4 in [0, 1] of, for each order, matches and totals, and then the two lengths.

    The geometric mean of the four shares, times exp(1 - references / candidates) where the
    candidates are shorter. Papineni et al., ACL 2002, section 2.3; the two constants, which keep
    an order without matches from 0 / 0, are those of pycocoevalcap 1.2, so that such a set has
    nearly 0 and not 0.

    >>> float(bleu(np.array([4.0, 4.0, 3.0, 3.0, 2.0, 2.0, 1.0, 1.0, 4.0, 4.0])).round(6))
    1.0
    """
    tiny, small = 1e-15, 1e-9
    matches, totals = sums[..., 0:8:2], sums[..., 1:8:2]
    value = np.prod((matches + tiny) / (totals + small), axis=-1) ** 0.25
    lengths = (sums[..., 8] + tiny) / (sums[..., 9] + small)
    return np.asarray(value * np.exp(np.minimum(0.0, 1 - 1 / lengths)))


POOLINGS: Mapping[str, Pooling] = {
    # Scores and ones: a mean is a ratio of sums too, but its scores are no part of the ones.
    "mean": Pooling(2, (), 1, ratio),
    "ratio": Pooling(2, ((0, 1),), 1, ratio),
    "bleu": Pooling(10, ((0, 1), (2, 3), (4, 5), (6, 7)), 8, bleu),
}


def pooling_named(name: str) -> Pooling:
    """The pooling of a name.

    Raises:
        ValueError: there is none.
    """
    if name not in POOLINGS:
        raise ValueError(f"no pooling {name!r}; there are {', '.join(sorted(POOLINGS))}.")
    return POOLINGS[name]


def checked_counts(pooling: str, counts: Sequence[float]) -> tuple[float, ...]:
    """One sample's counts, as a formula can read them.

    Raises:
        ValueError: there is no such pooling, or they are too few, too many, or not finite.
    """
    width = pooling_named(pooling).width
    plain = tuple(map(float, counts))
    if len(plain) != width or not np.isfinite(plain).all():
        raise ValueError(f"pooling {pooling!r} sums {width} finite counts; these are {plain}.")
    return plain


def pooled_value(pooling: str, counts: Sequence[float]) -> float | None:
    """The value of one row of counts; None where it has none (0 / 0).

    >>> pooled_value("ratio", (1.0, 2.0)), pooled_value("ratio", (0.0, 0.0))
    (0.5, None)
    """
    value = float(pooling_named(pooling).formula(np.array(counts)))
    return None if np.isnan(value) else value
