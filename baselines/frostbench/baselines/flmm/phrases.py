"""Finds the phrases of an answer that get a mask.

The paper's selector of keywords is not published; its demonstration uses a parser and a person.
This module has a rule instead: runs of words between words that name nothing. It is no parser: a
verb that it does not know stays in its phrase.
"""

import re
from collections.abc import Sequence

_DETERMINING = """
a an all the this that these those one two three four five six seven eight nine ten some several
many another each every its their his her my your our
"""
_NAMELESS = """
about above across after against along also among and are around as at background be because been
before behind being below beneath beside besides between beyond both bottom but by can center centre
corner could did do does down during either for foreground from had has have he how i if image in
inside into is it itself left like middle near next no nor not of off on onto or other out outside
over photo image right scene she side so than then there they through to top toward towards under
up upon very was we were what when where which while who whose why will with within without would
yes you
"""
DETERMINERS = frozenset(_DETERMINING.split())
NAMELESS = frozenset(_NAMELESS.split())

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


def phrases_of(text: str, names: Sequence[str] = ()) -> tuple[tuple[int, int], ...]:
    """Start and end of each phrase of an answer, in the order of the text.

    Where there are `names`, phrases are their mentions, whole words in any case and with their
    article, the longest name first. Otherwise a phrase is a longest run of words, with nothing but
    blanks between them, that are not `NAMELESS`; determiners belong to what follows them.

    >>> text = "An owl at the top and a red apple on the left."
    >>> [text[start:end] for start, end in phrases_of(text)]
    ['An owl', 'a red apple']
    >>> [text[start:end] for start, end in phrases_of(text, ["apple", "red apple"])]
    ['a red apple']
    """
    return _mentions(text, names) if names else _runs(text)


def _mentions(text: str, names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    longest = sorted(names, key=len, reverse=True)
    any_name = "|".join(re.escape(name) for name in longest)
    pattern = re.compile(rf"(?<!\w)(?:(?:an?|the)\s+)?(?:{any_name})(?!\w)", re.IGNORECASE)
    return tuple(match.span() for match in pattern.finditer(text))


def _runs(text: str) -> tuple[tuple[int, int], ...]:
    runs: list[list[re.Match[str]]] = [[]]
    for match in _WORD.finditer(text):
        word, run = match.group().lower(), runs[-1]
        joined = bool(run) and not text[run[-1].end() : match.start()].strip()
        if word in NAMELESS or not joined or word in DETERMINERS:
            runs.append([])
        if word not in NAMELESS:
            determined = word in DETERMINERS and joined and _undecided(run)
            runs[-2 if determined else -1].append(match)
            if determined:
                runs.pop()
    spans = [(run[0].start(), run[-1].end()) for run in runs if run and not _undecided(run)]
    return tuple(spans)


def _undecided(run: Sequence[re.Match[str]]) -> bool:
    """Whether a run is determiners alone, and names nothing yet."""
    return all(match.group().lower() in DETERMINERS for match in run)
