"""Which estimators the leaderboard uses, in one line."""

from frostbench.bench.statistics.inference import Inference


def estimators(inference: Inference) -> str:
    """One line: which interval is which, and when rows are apart."""
    level = f"{inference.level:.0%}".replace("%", " %")
    return (
        f"Intervals are {level}: Student's t of a jackknife over clusters (samples that share "
        "images or an episode) for means and numbers of a whole set, corrected for skewness; "
        "exact binomial at the effective sample size for shares of right answers; the jackknife "
        "on the logit scale for values of summed counts (F1, cumulative IoU, BLEU), and for "
        "average precision, there with the excess of few images taken off the lower end; none for "
        "a Fréchet distance. Two rows are apart where a paired sign-flip test over clusters says "
        "so, corrected by Holm over all pairs of a ranking, or over the controls of a method."
    )
