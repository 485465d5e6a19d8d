"""BLEU-4 of a whole set of captions, computed from counts of each caption.

Papineni et al., "BLEU: a Method for Automatic Evaluation of Machine Translation", ACL 2002, in the
form of pycocoevalcap 1.2, the usual one for captions.
"""

from collections import Counter
from collections.abc import Sequence

from frostbench.eval_suites.metrics.caption_words import caption_words, ngrams
from frostbench.eval_suites.metrics.texts import text_pair
from frostbench.plugins.contract.predictions import Prediction
from frostbench.plugins.contract.task import Target

ORDERS = 4


def bleu_counts(candidate: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[float, ...]:
    """What one caption adds to the sums: ten numbers.

    For each order of n-grams, 1 to 4, how many of the candidate's n-grams are in the references
    (each at most as often as in the reference that has it most) and how many it has; then its
    length, and that of the reference nearest in length, the shorter of two.

    >>> bleu_counts("a red kite".split(), ["a red red kite flies".split()])
    (3.0, 3.0, 2.0, 2.0, 0.0, 1.0, 0.0, 0.0, 3.0, 5.0)
    """
    best: Counter[tuple[str, ...]] = Counter()
    for reference in references:
        best |= ngrams(reference, ORDERS)
    matches, totals = [0] * ORDERS, [0] * ORDERS
    for ngram, count in ngrams(candidate, ORDERS).items():
        matches[len(ngram) - 1] += min(count, best[ngram])
        totals[len(ngram) - 1] += count
    _, nearest = min((abs(len(one) - len(candidate)), len(one)) for one in references)
    orders = [number for pair in zip(matches, totals, strict=True) for number in pair]
    return tuple(map(float, (*orders, len(candidate), nearest)))


def bleu_4(prediction: Prediction, target: Target) -> tuple[float, ...]:
    """`bleu-4[corpus]`: what one caption adds to BLEU-4, in [0, 1]; higher is better.

    It is a value of the whole set, and no mean of captions' values: the counts of `bleu_counts` are
    summed first. Words are those of `caption_words`.

    Raises:
        ValueError: prediction or target is no text, or there is no reference.
    """
    text, references = text_pair(prediction, target)
    return bleu_counts(caption_words(text), [caption_words(one) for one in references])
