"""Training text: plain English from Python and two small packages, and sentences built from it.

No image, and nothing derived from one, goes in here: the language model of the `mini` pack is
trained on this text and on text-only exercises alone. All of it is lower-cased, because a small
vocabulary should spend its entries on words and not on their spellings.
"""

import ast
import io
import re
import sysconfig
import tokenize
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

from frostbench.plugins.contract.recipe import Workshop

FEWEST = 100  # paragraphs that a language model is trained on


@dataclass(frozen=True)
class TextSource:
    """Where a part of the text comes from, for the pack's card."""

    name: str
    licence: str
    what: str


SOURCES = (
    TextSource("CPython, pydoc_data.topics", "PSF-2.0", "the language reference's help topics"),
    TextSource("CPython, standard library", "PSF-2.0", "docstrings and comments of its modules"),
    TextSource("emoji (PyPI)", "BSD-3-Clause", "English names of emoji, in templated sentences"),
    TextSource(
        "matplotlib colour names (xkcd survey)", "CC0-1.0", "colour names in those sentences"
    ),
)

_PLACES = ("on the left", "on the right", "at the top", "at the bottom", "in the middle")
_BETWEEN = ("left of", "right of", "above", "below", "next to", "in front of", "behind")
_SIZES = ("small", "large", "big", "tiny", "little", "huge")
_LOOKS = (
    "good",
    "bad",
    "bright",
    "dark",
    "blurry",
    "clean",
    "close-up",
    "low resolution",
    "cropped",
)
_KINDS = ("photo", "picture", "drawing", "painting", "image", "sketch", "view", "rendering")
_BASIC = ("red", "green", "blue", "yellow", "orange", "purple", "pink", "brown", "black", "white")
_NUMBERS = (
    *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
    *("twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
    *("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety", "hundred"),
)


@cache
def names() -> tuple[str, ...]:
    """English names of things, sorted: emoji names without flags, skin tones and key caps.

    >>> "red apple" in names()
    True
    """
    import emoji

    found = set()
    for symbols, entry in emoji.EMOJI_DATA.items():
        if any(0x1F1E6 <= ord(symbol) <= 0x1F1FF or ord(symbol) > 0xE0000 for symbol in symbols):
            continue
        name = _plain(entry["en"].strip(":").replace("_", " "))
        if re.fullmatch(r"[a-z][a-z' -]*[a-z]", name) and "skin tone" not in name:
            found.add(name)
    return tuple(sorted(found))


@cache
def colours() -> tuple[str, ...]:
    """Colour names of one to three words, sorted."""
    from matplotlib.colors import CSS4_COLORS, XKCD_COLORS

    every = {*CSS4_COLORS, *(name.removeprefix("xkcd:") for name in XKCD_COLORS)}
    return tuple(sorted(name for name in every if re.fullmatch(r"[a-z]+( [a-z]+){0,2}", name)))


@cache
def prose() -> tuple[str, ...]:
    """Paragraphs of the standard library's documentation, lower-cased, in the order of its files.

    A paragraph counts as prose when nine tenths of it are letters and blanks; here all are ASCII.
    """
    from pydoc_data.topics import topics

    blocks = [topics[key] for key in sorted(topics)]
    root = Path(sysconfig.get_path("stdlib"))
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).parts
        if not {"site-packages", "dist-packages", "test", "tests", "pydoc_data"} & {*parts}:
            blocks += _documentation(path)
    paragraphs = (_plain(part) for block in blocks for part in re.split(r"\n\s*\n", block))
    kept = (part for part in paragraphs if _is_prose(part) and part.isascii())
    return tuple(dict.fromkeys(kept))


def of_workshop(workshop: Workshop) -> tuple[str, ...]:
    """The text of the `mini` pack: `prose`, whatever the workshop."""
    return prose()


def read_text(workshop: Workshop) -> tuple[str, ...]:
    """The prose among a workshop's text, lower-cased, each paragraph once, in its order.

    Raises:
        ValueError: there are too few such paragraphs, or no text at all.
    """
    paragraphs = map(_plain, workshop.data.get("text"))
    found = tuple(dict.fromkeys(part for part in paragraphs if _is_prose(part)))
    if len(found) < FEWEST:
        raise ValueError(
            f"the text has {len(found)} different paragraphs of prose, and {FEWEST} are needed: "
            "parts between empty lines, of 40 characters or more, nine tenths of them letters."
        )
    return found


def sentence(random: Random) -> str:
    """One templated sentence about things: a caption, a comparison, or a question with its answer.

    >>> sentence(Random(0)) == sentence(Random(0))
    True
    """
    return random.choice(_TEMPLATES)(random)


def _documentation(path: Path) -> list[str]:
    """Docstrings and runs of comment lines of one module; none if it is not valid Python."""
    try:
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source)
    except (SyntaxError, UnicodeDecodeError, ValueError):
        return []
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    blocks = [ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, kinds)]
    lines: list[str] = []
    last = -2
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        if token.start[0] != last + 1:
            blocks.append("\n".join(lines))
            lines = []
        lines.append(token.string.lstrip("#! "))
        last = token.start[0]
    return [*blocks, "\n".join(lines)]


def _plain(text: str) -> str:
    """Lower case, one blank between words, straight quotes, no markup."""
    text = re.sub(r":\w+:`([^`]*)`", r"\1", text.lower())
    return " ".join(text.replace("’", "'").replace("`", "").replace("*", "").split())


def _is_prose(text: str) -> bool:
    letters = sum(character.isalpha() or character == " " for character in text)
    return len(text) >= 40 and ">>>" not in text and letters >= 0.9 * len(text)


def _thing(random: Random) -> str:
    """A name, often with a size or a colour before it."""
    name = random.choice(names())
    before = random.random()
    if before < 0.25:
        return f"{random.choice(_SIZES)} {name}"
    if before < 0.45:
        return f"{random.choice(_BASIC)} {name}"
    if before < 0.55:
        return f"{random.choice(colours())} {name}"
    return name


def _one(random: Random) -> str:
    """A thing with its article."""
    thing = _thing(random)
    return f"{_article(thing)} {thing}"


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"


def _photo(random: Random) -> str:
    what = _one(random) if random.random() < 0.6 else _thing(random)
    return f"a photo of {what}."


def _kind(random: Random) -> str:
    look = f"{random.choice(_LOOKS)} " if random.random() < 0.5 else ""
    kind = f"{look}{random.choice(_KINDS)}"
    return f"{_article(kind)} {kind} of {_one(random)}."


def _placed(random: Random) -> str:
    first, second = random.sample(_PLACES, 2)
    return f"{_one(random)} {first} and {_one(random)} {second}."


def _related(random: Random) -> str:
    return f"{_one(random)} {random.choice(_BETWEEN)} {_one(random)}."


def _where(random: Random) -> str:
    place, thing = random.choice(_PLACES), _one(random)
    return f"{thing} {place}. question: what is {place}? answer: {thing}."


def _colour(random: Random) -> str:
    colour, name = random.choice(_BASIC), random.choice(names())
    return f"the {name} is {colour}. question: what colour is the {name}? answer: {colour}."


def _whether(random: Random) -> str:
    there, other = random.sample(names(), 2)
    asked, answer = (there, "yes") if random.random() < 0.5 else (other, "no")
    return f"a photo of the {there}. question: is there the {asked}? answer: {answer}."


def _count(random: Random) -> str:
    start = random.randrange(len(_NUMBERS) - 4)
    return " ".join(_NUMBERS[start : start + random.randint(3, 5)]) + "."


def _list(random: Random) -> str:
    *most, last = (random.choice(names()) for _ in range(random.randint(3, 5)))
    return f"{', '.join(most)} and {last}."


_TEMPLATES = (_photo, _photo, _kind, _placed, _related, _where, _colour, _whether, _count, _list)
