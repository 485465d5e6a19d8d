"""Intervals from the values without each cluster in turn (the jackknife).

Formulas, sources and the simulation that chose them are in docs/trust/statistics.md.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import betaincinv, ndtri, stdtrit

from frostbench.bench.statistics.inference import Bounds, Interval

STUDENT = "Student's t, jackknife over clusters, corrected for skewness"
EXACT = "exact binomial, effective sample size"
AT_A_BOUND = "exact binomial, clusters for trials"
LOGIT = "Student's t, jackknife over clusters, on the logit scale"
SKEWED_LOGIT = f"{LOGIT}, corrected for skewness"
OF_SHARES = "exact binomial of the samples that one row alone has right, and the other alone"
ONE_CLUSTER = "none: one cluster says nothing about the spread"
NO_SPREAD = "none: equal scores say nothing about the spread"
NO_ODDS = "none: a value at its bound has no odds"
FEW_CLUSTERS = "none: nearly all weight lies in one cluster"


@dataclass(frozen=True, eq=False)
class Jackknife:
    """A value, the contribution of each cluster, and the clusters' weights.

    Attributes:
        value: of all clusters.
        influences: the value minus that without a cluster, for each cluster.
        weights: the clusters' weights, in any unit.
    """

    value: float
    influences: Float[np.ndarray, " clusters"]
    weights: Float[np.ndarray, " clusters"]

    @property
    def variance(self) -> float:
        """The jackknife's variance of the value, around the value itself."""
        count = len(self.influences)
        return (count - 1) / count * float(np.square(self.influences).sum())

    @property
    def effective(self) -> float:
        """The equivalent number of clusters of equal weight: Kish's effective number."""
        return float(self.weights.sum() ** 2 / np.square(self.weights).sum())

    @property
    def refusal(self) -> Interval | None:
        """Why there is no interval, if there is none."""
        if len(self.influences) < 2:
            return Interval(None, None, ONE_CLUSTER)
        if not np.isfinite(self.influences).all() or self.effective < 1.5:
            return Interval(None, None, FEW_CLUSTERS)
        if self.variance <= (1e-9 * max(1.0, abs(self.value))) ** 2:
            return Interval(None, None, NO_SPREAD)
        return None

    def quantile(self, level: float) -> float:
        """Student's, with one degree of freedom less than there are effective clusters."""
        return _student(self.effective, level)


def student(jackknife: Jackknife, bounds: Bounds, level: float) -> Interval:
    """Student's t, corrected for skewness."""
    if jackknife.refusal:
        return jackknife.refusal
    down, up = _reaches(jackknife, level)
    low, high = jackknife.value - down, jackknife.value + up
    return Interval(bounds.clip(low), bounds.clip(high), STUDENT)


def logit(jackknife: Jackknife, level: float) -> Interval:
    """Student's t on the scale of log odds, for a ratio of sums strictly between 0 and 1."""
    if jackknife.refusal:
        return jackknife.refusal
    reach = jackknife.quantile(level) * math.sqrt(jackknife.variance)
    return _on_log_odds(jackknife.value, reach, reach, LOGIT)


def skewed_logit(jackknife: Jackknife, level: float) -> Interval:
    """The same, corrected for skewness: for values that are no ratio, like average precision.

    For a ratio, log odds leave little skewness, and the correction would widen the interval for
    nothing.
    """
    if jackknife.refusal:
        return jackknife.refusal
    return _on_log_odds(jackknife.value, *_reaches(jackknife, level), SKEWED_LOGIT)


def _on_log_odds(value: float, down: float, up: float, how: str) -> Interval:
    if not 0 < value < 1:
        return Interval(None, None, NO_ODDS)
    odds, slope = math.log(value / (1 - value)), value * (1 - value)
    return Interval(_expit(odds - down / slope), _expit(odds + up / slope), how)


def _reaches(jackknife: Jackknife, level: float) -> tuple[float, float]:
    """How far below and above its value an interval reaches.

    Student's t; an end moves outward as far as Hall's transformation for skewness takes it.
    Hall, "On the Removal of Skewness by Transformation", JRSS B 1992, equation 2.1, inverted.
    """
    centred = jackknife.influences - jackknife.influences.mean()
    spread = max(float((centred**2).mean()), 1e-300)
    skew = float((centred**3).mean()) / spread**1.5 / math.sqrt(len(centred))

    def transformed(quantile: float) -> float:
        if abs(skew) < 1e-6:
            return quantile
        return float(3 / skew * (np.cbrt(1 + skew * (quantile - skew / 6)) - 1))

    reach, error = jackknife.quantile(level), math.sqrt(jackknife.variance)
    return error * max(reach, transformed(reach)), error * max(reach, -transformed(-reach))


def exact_share(jackknife: Jackknife, samples: int, level: float) -> Interval:
    """Clopper and Pearson's interval with the effective sample size for trials.

    Korn and Graubard, "Confidence Intervals for Proportions With Small Expected Number of Positive
    Counts", Survey Methodology 1998: value * (1 - value) / variance, reduced for estimating the
    variance from few clusters. It lies between the effective number of clusters, as if all samples
    of one said the same, and the number of samples, as if none did.
    """
    value, variance = jackknife.value, jackknife.variance
    if len(jackknife.influences) < 2:
        return Interval(None, None, ONE_CLUSTER)
    size = float(samples)
    if variance > 0:
        # A variance that comes from a few clusters is known no better than from that many.
        squares = np.square(jackknife.influences)
        known = float(squares.sum() ** 2 / np.square(squares).sum())
        cost = float(ndtri((1 + level) / 2)) / _student(min(jackknife.effective, known), level)
        size = min(size, max(jackknife.effective, value * (1 - value) / variance * cost**2))
    return Interval(*clopper_pearson(value * size, size, level), EXACT)


def clopper_pearson(successes: float, trials: float, level: float) -> tuple[float, float]:
    """The exact binomial interval, also of fractions of trials.

    >>> [round(end, 3) for end in clopper_pearson(7.0, 7.0, 0.95)]
    [0.59, 1.0]
    """
    tail, failures = (1 - level) / 2, trials - successes
    low = float(betaincinv(successes, failures + 1, tail)) if successes > 0 else 0.0
    high = float(betaincinv(successes + 1, failures, 1 - tail)) if failures > 0 else 1.0
    return low, high


def between(one: Jackknife, two: Jackknife, mine: Interval, yours: Interval) -> Interval:
    """The interval of a difference from those of its two sides, and their correlation.

    Zou and Donner, "Construction of Confidence Limits About Effect Measures: A General Approach",
    Statistics in Medicine 2008, section 3.
    """
    if mine.low is None or mine.high is None or yours.low is None or yours.high is None:
        return mine if mine.low is None else yours
    spread = math.sqrt(one.variance * two.variance)
    count = len(one.influences)
    shared = (count - 1) / count * float((one.influences * two.influences).sum())
    correlation = shared / spread if spread > 0 else 0.0

    def reach(down: float, up: float) -> float:
        return math.sqrt(max(0.0, down**2 - 2 * correlation * down * up + up**2))

    value = one.value - two.value
    low = value - reach(one.value - mine.low, yours.high - two.value)
    high = value + reach(mine.high - one.value, two.value - yours.low)
    return Interval(max(-1.0, low), min(1.0, high), OF_SHARES)


def _student(clusters: float, level: float) -> float:
    return float(stdtrit(max(0.05, clusters - 1), (1 + level) / 2))


def _expit(odds: float) -> float:
    return 1 / (1 + math.exp(-odds)) if odds > -700 else 0.0
