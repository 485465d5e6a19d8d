"""Counts visual tokens and their codes while images are tokenized."""

import math
from collections import Counter
from collections.abc import Mapping

from frostbench.bench.store.visual import VisualSize
from frostbench.plugins.contract.tokens import (
    Continuous,
    VisualTokens,
    discrete_ids,
    sentences_of,
)


class VisualTally:
    """Counts the tokens of images, by part and code.

    `codes` says how many codes each discrete part has, where that is known.
    """

    def __init__(self, codes: Mapping[str, int]) -> None:
        self._codes = dict(codes)
        self._seen: dict[str, Counter[int]] = {}
        self._images = self._vectors = self._sentences = 0

    def copy(self) -> "VisualTally":
        """An independent copy of the counts."""
        made = VisualTally(self._codes)
        made._seen = {part: Counter(codes) for part, codes in self._seen.items()}
        made._images, made._vectors = self._images, self._vectors
        made._sentences = self._sentences
        return made

    def add(self, tokens: VisualTokens) -> None:
        """Count a batch."""
        self._images += len(tokens)
        for ids in discrete_ids(tokens):
            for part, code in ids:
                self._seen.setdefault(part, Counter())[code] += 1
        self._sentences += sum(map(len, sentences_of(tokens)))
        for vectors in tokens.parts.values():
            if isinstance(vectors, Continuous):
                self._vectors += math.prod(vectors.features.shape[:2])

    @property
    def size(self) -> VisualSize:
        """Means over images; None where no image was counted."""
        counts = {part: codes.total() for part, codes in self._seen.items()}
        total = sum(counts.values()) + self._vectors
        sentences = self._sentences / self._images if self._images else 0.0
        if not total:
            return VisualSize(self._images, sentences=sentences)
        bits = entropy = None
        if not (self._vectors or self._sentences) and counts.keys() <= self._codes.keys():
            bits = sum(n * math.log2(self._codes[part]) for part, n in counts.items())
            entropy = sum(map(_entropy, self._seen.values()))
            bits, entropy = bits / self._images, entropy / self._images
        return VisualSize(self._images, total / self._images, bits, entropy, sentences)


def _entropy(codes: Counter[int]) -> float:
    """Bits of all tokens of a part: their number times `-sum p log2 p`."""
    total = codes.total()
    return -sum(n * math.log2(n / total) for n in codes.values())
