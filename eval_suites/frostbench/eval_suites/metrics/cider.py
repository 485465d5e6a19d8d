"""CIDEr-D: how well a caption agrees with reference captions; rare words weigh more.

Vedantam et al., "CIDEr: Consensus-based Image Description Evaluation", CVPR 2015,
https://arxiv.org/abs/1411.5726, section 5 and its variant D, in the form of pycocoevalcap 1.2
(whose class `Cider` is CIDEr-D), the usual one for captions.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from frostbench.eval_suites.metrics.caption_words import caption_words, ngrams
from frostbench.eval_suites.metrics.texts import text_pair, texts_of
from frostbench.plugins.contract.metric import SampleScore
from frostbench.plugins.contract.predictions import Prediction
from frostbench.plugins.contract.task import Target

ORDERS = 4  # n-grams of 1 to 4 words
SIGMA = 6.0  # of the penalty on a difference in length, in words
SCALE = 10.0


@dataclass(frozen=True)
class Weighed:
    """A caption as n-grams weighed by rarity.

    `norms` are the Euclidean lengths of its vectors, order by order; `length` counts its pairs of
    neighbouring words, as pycocoevalcap does: one less than its words.
    """

    weights: dict[tuple[str, ...], float]
    norms: tuple[float, ...]
    length: int


class Rarity:
    """How rare each n-gram is among documents; a document is all the captions of one image."""

    def __init__(self, documents: Sequence[Sequence[Sequence[str]]]) -> None:
        self._logarithm = math.log(len(documents))
        self._documents: Counter[tuple[str, ...]] = Counter()
        for captions in documents:
            self._documents.update(
                {ngram for caption in captions for ngram in ngrams(caption, ORDERS)}
            )

    def weigh(self, words: Sequence[str]) -> Weighed:
        """Counts times log(documents / documents that hold it).

        An n-gram in no document weighs as much as one in a single document.
        """
        weights = {
            ngram: count * (self._logarithm - math.log(max(1, self._documents[ngram])))
            for ngram, count in ngrams(words, ORDERS).items()
        }
        squares = [0.0] * ORDERS
        for ngram, weight in weights.items():
            squares[len(ngram) - 1] += weight * weight
        return Weighed(weights, tuple(map(math.sqrt, squares)), max(0, len(words) - 1))


def cider_d(candidate: Weighed, references: Sequence[Weighed]) -> float:
    """CIDEr-D in [0, 10]; higher is better, and 10 is a caption equal to all its references.

    For each order, the cosine of the two vectors, with the candidate's weights clipped to the
    reference's, times a Gaussian of the difference in length; the mean over orders and references,
    times 10. Papers print a hundred times more: 1.125 here is their 112.5.
    """
    total = sum(_similarity(candidate, reference) for reference in references)
    return SCALE * total / (ORDERS * len(references))


def _similarity(candidate: Weighed, reference: Weighed) -> float:
    products = [0.0] * ORDERS
    for ngram, weight in candidate.weights.items():
        theirs = reference.weights.get(ngram, 0.0)
        products[len(ngram) - 1] += min(weight, theirs) * theirs
    cosines = (
        product / (mine * yours) if mine and yours else 0.0
        for product, mine, yours in zip(products, candidate.norms, reference.norms, strict=True)
    )
    apart = candidate.length - reference.length
    return sum(cosines) * math.exp(-(apart**2) / (2 * SIGMA**2))


def cider_d_corpus(corpus: Sequence[Target]) -> SampleScore:
    """`cider-d[corpus]`: CIDEr-D on a corpus; each target holds the references of one image.

    Rarity is learned from the task's whole corpus, not from the samples of a run, so that runs of
    few and of many samples are comparable. pycocoevalcap counts in the references being scored, and
    agrees where those are the corpus. Words are those of `caption_words`.

    Raises:
        ValueError: the corpus has fewer than two targets, or one that is no text.
    """
    if len(corpus) < 2:
        raise ValueError(
            "CIDEr-D weighs words by how many images of a corpus have them, and the corpus has "
            f"{len(corpus)}; the task's `corpus` gives the references of two or more."
        )
    rarity = Rarity([[caption_words(text) for text in texts_of(target)] for target in corpus])

    @cache  # all table rows have the same references
    def reference(text: str) -> Weighed:
        return rarity.weigh(caption_words(text))

    def score(prediction: Prediction, target: Target) -> float:
        """The score of one caption; an empty one has 0. A set's is the mean of its captions'."""
        text, references = text_pair(prediction, target)
        return cider_d(rarity.weigh(caption_words(text)), [reference(one) for one in references])

    return score
