"""ROUGE-L of a caption (Lin, 2004), in the form of pycocoevalcap 1.2.

Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", https://aclanthology.org/W04-1013.
"""

from collections.abc import Sequence

from frostbench.eval_suites.metrics.caption_words import caption_words
from frostbench.eval_suites.metrics.texts import text_pair
from frostbench.plugins.contract.predictions import Prediction
from frostbench.plugins.contract.task import Target

BETA = 1.2  # beta: weight of recall relative to precision


def longest_common(one: Sequence[str], two: Sequence[str]) -> int:
    """The length of the longest run of words, with gaps, that both have in this order.

    >>> longest_common("a red kite flies".split(), "red birds flies a".split())
    2
    """
    row = [0] * (len(two) + 1)
    for word in one:
        before = 0
        for place, other in enumerate(two, start=1):
            above = row[place]
            row[place] = before + 1 if word == other else max(above, row[place - 1])
            before = above
    return row[-1]


def rouge_l(prediction: Prediction, target: Target) -> float:
    """`rouge-l[caption]`: F of the longest common run of words, in [0, 1]; higher is better.

    Precision and recall are each the best over the references (equation 4 with beta 1.2, after the
    maximum, as the official code has it). Words are those of `caption_words`.

    Raises:
        ValueError: prediction or target is no text, or there is no reference.
    """
    text, references = text_pair(prediction, target)
    words = caption_words(text)
    told = [caption_words(reference) for reference in references]
    common = [longest_common(reference, words) for reference in told]
    precision = max(common) / len(words) if words else 0.0
    recall = max((n / len(one) for n, one in zip(common, told, strict=True) if one), default=0.0)
    if not precision or not recall:
        return 0.0
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)
