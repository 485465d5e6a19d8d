"""Finds which of several options an answer names."""

import random
import re
from collections.abc import Sequence

_MARKS = re.compile(r"^[\s(\[\"'*]+|[\s)\].,:;!\"'*]+$")


def question_with(text: str, options: Sequence[str]) -> str:
    """A question with its options, where it does not name them itself."""
    if all(option.strip() in text for option in options):
        return text
    return f"{text.rstrip()}\nAnswer with one of: {', '.join(one.strip() for one in options)}."


def option_in(answer: str, options: Sequence[str]) -> int | None:
    """The place of the option that an answer equals, or begins with, as "B." or "(B) a dog" do.

    None where it is none or could be several. Case, blanks and the marks around it do not count.

    >>> option_in("B.", ["A", "B"]), option_in("(B) a dog", ["a cat", "a dog"])
    (1, 1)
    >>> option_in("neither", ["a cat", "a dog"]) is None
    True
    """
    said, names = _bare(answer), [_bare(option) for option in options]
    if not said:
        return None
    whole = [place for place, name in enumerate(names) if name == said]
    letters = [chr(ord("a") + place) for place in range(len(options))]
    if not whole and said in letters[: len(options)]:
        whole = [letters.index(said)]
    lettered = re.match(r"^\(?([a-z])[).:]", answer.strip().casefold())
    if not whole and lettered and lettered[1] in (*names, *letters):
        named = names if lettered[1] in names else letters
        whole = [named.index(lettered[1])]
    return whole[0] if len(whole) == 1 else None


def drawn(options: Sequence[str], seed: int) -> int:
    """The place for an answer that names no option: drawn, so as good as chance.

    lmms-eval scores the place with the least loss, so that no place at all would be the first.
    """
    return random.Random(seed).randrange(len(options))


def _bare(text: str) -> str:
    return _MARKS.sub("", text).casefold()
