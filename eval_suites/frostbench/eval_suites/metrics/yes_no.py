"""Metrics of yes-or-no answers: how POPE reads an answer, and what it counts.

Each is a ratio of two sums over a set's answers, in [0, 1]; its function gives one answer's part.

Li et al., "Evaluating Object Hallucination in Large Vision-Language Models", EMNLP 2023,
https://arxiv.org/abs/2305.10355; read in RUCAIBox/POPE at 3df3ba1. "yes" is the positive class.
"""

from dataclasses import dataclass

from frostbench.eval_suites.metrics.texts import text_pair
from frostbench.plugins.contract.predictions import Prediction
from frostbench.plugins.contract.task import Target

_NO = frozenset({"No", "not", "no"})


def says_yes(answer: str) -> bool:
    """Whether POPE takes an answer for yes: no word up to the first full stop says no.

    The words are "No", "not" and "no" and no others, so that an empty answer, "NO" and "none" are
    yes, and a yes with a "no" in it is none.

    >>> says_yes("Yes. There is no doubt."), says_yes("Yes, there is no doubt"), says_yes("")
    (True, False, True)
    """
    first = answer.partition(".")[0].replace(",", "")
    return not _NO & set(first.split(" "))


@dataclass(frozen=True)
class YesNo:
    """Whether an answer is yes, and whether the true one is."""

    said: bool
    true: bool


def _read(prediction: Prediction, target: Target) -> YesNo:
    """An answer and the truth.

    Raises:
        ValueError: the prediction is no text, or the target is neither "yes" nor "no".
    """
    text, accepted = text_pair(prediction, target)
    if accepted not in (("yes",), ("no",)):
        raise ValueError(f'targets are "yes" or "no"; the target is {accepted}.')
    return YesNo(says_yes(text), accepted == ("yes",))


def accuracy(prediction: Prediction, target: Target) -> tuple[float, float]:
    """`accuracy[pope]`: the share of right answers."""
    one = _read(prediction, target)
    return float(one.said == one.true), 1.0


def precision(prediction: Prediction, target: Target) -> tuple[float, float]:
    """`precision[pope]`: the share of right answers among those that say yes; none without any."""
    one = _read(prediction, target)
    return float(one.said and one.true), float(one.said)


def recall(prediction: Prediction, target: Target) -> tuple[float, float]:
    """`recall[pope]`: the share of questions with the answer yes that are answered so."""
    one = _read(prediction, target)
    return float(one.said and one.true), float(one.true)


def f1(prediction: Prediction, target: Target) -> tuple[float, float]:
    """`f1[pope]`: the harmonic mean of precision and recall.

    It is 2 TP / (answered yes + truly yes), so that the pooled ratio of the two sums is exact, and
    0 where yes is never answered but should be.
    """
    one = _read(prediction, target)
    return 2.0 * (one.said and one.true), float(one.said) + float(one.true)


def share_of_yes(prediction: Prediction, target: Target) -> tuple[float, float]:
    """`yes[pope]`: the share of answers that say yes. Half is unbiased; neither end is better."""
    one = _read(prediction, target)
    return float(one.said), 1.0
