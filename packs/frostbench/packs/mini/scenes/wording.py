"""Words for scenes: places, captions with their phrases, questions with their answers."""

from collections import Counter
from collections.abc import Sequence
from itertools import permutations

from frostbench.plugins.contract.scenes import Question

PLACES = ("on the left", "on the right", "at the top", "at the bottom", "in the middle")
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

_SILENT = ("hour", "honest", "heir")
_SOUNDED = ("uni", "one", "euro", "ukulele")


def with_article(name: str) -> str:
    """A name with its indefinite article.

    >>> with_article("owl"), with_article("hourglass done"), with_article("unicorn")
    ('an owl', 'an hourglass done', 'a unicorn')
    """
    vowel = name.startswith(tuple("aeiou")) and not name.startswith(_SOUNDED)
    return f"an {name}" if vowel or name.startswith(_SILENT) else f"a {name}"


def place(box: Sequence[float], side: int) -> str:
    """Where a box (left, top, right, bottom) lies in a square image, as one of `PLACES`.

    The larger of the two offsets of its centre counts; below an eighth of the side, the place is
    the middle.
    """
    x = (box[0] + box[2]) / 2 / side - 0.5
    y = (box[1] + box[3]) / 2 / side - 0.5
    if max(abs(x), abs(y)) < 0.125:
        return "in the middle"
    if abs(x) >= abs(y):
        return "on the left" if x < 0 else "on the right"
    return "at the top" if y < 0 else "at the bottom"


def caption_of(
    names: Sequence[str], places: Sequence[str]
) -> tuple[str, tuple[tuple[int, int], ...]]:
    """One sentence, and for each glyph its phrase's (start, end) in the sentence.

    >>> caption_of(["owl", "cat"], ["at the top", "on the left"])
    ('an owl at the top and a cat on the left.', ((0, 16), (21, 38)))
    """
    text = ""
    spans = []
    for index, (name, where) in enumerate(zip(names, places, strict=True)):
        if index:
            text += " and " if index == len(names) - 1 else ", "
        phrase = f"{with_article(name)} {where}"
        spans.append((len(text), len(text) + len(phrase)))
        text += phrase
    return text + ".", tuple(spans)


def captions_of(names: Sequence[str], places: Sequence[str]) -> tuple[str, ...]:
    """The caption in every order of its phrases, that of `caption_of` first; each once.

    >>> captions_of(["owl", "cat"], ["at the top", "on the left"])
    ('an owl at the top and a cat on the left.', 'a cat on the left and an owl at the top.')
    """
    orders = permutations(zip(names, places, strict=True))
    return tuple(dict.fromkeys(caption_of(*zip(*order, strict=True))[0] for order in orders))


def what_is(where: str, name: str) -> Question:
    """The question what lies at a place, where only `name` does."""
    return Question("what", f"what is {where}?", (name, with_article(name)))


def where_is(name: str, where: str) -> Question:
    """The question where the only `name` lies."""
    return Question("where", f"where is the {name}?", (where, where.split()[-1]))


def how_many(count: int) -> Question:
    """The question how many glyphs there are."""
    return Question("how many", "how many things are there?", (NUMBERS[count], str(count)))


def is_there(name: str, there: bool) -> Question:
    """The question whether a class is there."""
    answer = "yes" if there else "no"
    return Question("whether", f"is there {with_article(name)}?", (answer,))


def questions_about(placed: Sequence[tuple[str, str]], absent: str) -> tuple[Question, ...]:
    """Questions about glyphs (name, place), each with one answer; `absent` is a class not shown."""
    counts = Counter(name for name, _ in placed)
    at = Counter(where for _, where in placed)
    questions = [how_many(len(placed)), is_there(absent, False)]
    for name, where in placed:
        if at[where] == 1:
            questions.append(what_is(where, name))
        if counts[name] == 1:
            questions.append(where_is(name, where))
    for name, count in counts.items():
        questions.append(is_there(name, True))
        text = f"how many times is there {with_article(name)}?"
        questions.append(Question("how many", text, (NUMBERS[count], str(count))))
    return tuple(questions)
