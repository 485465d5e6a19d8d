"""The words of a caption, as caption metrics count them."""

import re
from collections import Counter
from collections.abc import Sequence

_WORD = re.compile(r"[^\W_]+(?:[-_/&.][^\W_]+)*|\S")
_MARKS = "'' ' `` ` -LRB- -RRB- -LCB- -RCB- . ? ! , : - -- ... ;"
_DROPPED = frozenset(_MARKS.split())


def caption_words(caption: str) -> tuple[str, ...]:
    """Lower-case words without punctuation."""
    return tuple(word for word in _WORD.findall(caption.lower()) if word not in _DROPPED)


def ngrams(words: Sequence[str], orders: int) -> Counter[tuple[str, ...]]:
    """How often each run of 1 to `orders` words occurs.

    >>> ngrams(["so", "so"], 2)
    Counter({('so',): 2, ('so', 'so'): 1})
    """
    return Counter(
        tuple(words[start : start + order])
        for order in range(1, orders + 1)
        for start in range(len(words) - order + 1)
    )
