"""A sentence on the estimators that the leaderboard uses."""

from frostbench.bench.statistics.inference import Inference
from frostbench.bench.statistics.swaps import DRAWN_CLUSTERS


def estimators(inference: Inference, limits: int = 0) -> str:
    """One line: which interval is which, and when rows are apart.

    `limits` is how many of the comparisons were made by the limit of all sign flips.
    """
    used = f", as {limits:,} here are" if limits else ""
    level = f"{inference.level:.0%}".replace("%", " %")
    return (
        f"Intervals are {level}: Student's t of a jackknife over clusters (samples that share "
        "images or an episode) for means and numbers of a whole set, corrected for skewness; "
        "exact binomial at the effective sample size for shares of right answers; the jackknife "
        "on the logit scale for values of summed counts (F1, cumulative IoU, BLEU), and for "
        "average precision, there with the excess of few images taken off the lower end; none for "
        "a Fréchet distance. Two rows are apart where a paired sign-flip test over clusters says "
        "so, corrected by Holm over all pairs of a ranking, or over the controls of a method. "
        f"Sums that differ in more than {DRAWN_CLUSTERS:,} clusters are compared by the limit of "
        f"all sign flips, and not by drawn ones{used}."
    )
