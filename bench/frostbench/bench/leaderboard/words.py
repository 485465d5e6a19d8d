"""Visual tokens as words over an image, for the gallery and for `frostbench look`."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

WordRows: TypeAlias = Sequence[Sequence[str]]
Form: TypeAlias = Literal["grid", "pyramid", "ranked", "sentences"]

EMPTY, BLANK, STRANGE = "∅", "␣", "\ufffd"
CONTROLS = {"\n": "↵", "\r": "↵", "\t": "⇥"}


@dataclass(frozen=True)
class Token:
    """A token's word, and the words nearest to it, its own first, where they are known."""

    word: str
    near: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layer:
    """Tokens in rows, as they lie on the image."""

    rows: tuple[tuple[Token, ...], ...]

    @property
    def columns(self) -> int:
        """The most tokens of a row."""
        return max(map(len, self.rows), default=0)

    @property
    def size(self) -> str:
        """How many rows of how many columns, "8 × 8"."""
        return f"{len(self.rows)} × {self.columns}"

    @property
    def tokens(self) -> tuple[Token, ...]:
        """All tokens, row by row."""
        return tuple(token for row in self.rows for token in row)

    @property
    def has_near(self) -> bool:
        """Whether nearest words are known."""
        return any(token.near for token in self.tokens)


@dataclass(frozen=True)
class PartWords:
    """One part of an image's visual tokens, as words.

    A grid has one layer, and so have a ranked set and sentences, the most fitting first; a pyramid
    has several, from coarse to fine.
    """

    part: str
    form: Form
    layers: tuple[Layer, ...]

    def __len__(self) -> int:
        return sum(len(layer.tokens) for layer in self.layers)

    @property
    def on_image(self) -> bool:
        """Whether its words lie on the image, cell by cell."""
        return self.form in ("grid", "pyramid")

    @property
    def ranked(self) -> tuple[Token, ...]:
        """The tokens of all layers, in order."""
        return tuple(token for layer in self.layers for token in layer.tokens)


def words_of(
    words: Mapping[str, WordRows], near: Mapping[str, Sequence[WordRows]] | None = None
) -> tuple[PartWords, ...]:
    """Parts as a method's `words` names them, with its `neighbours`: "part", or "part/1" and on.

    Parts with numbers after a slash are the layers of one pyramid. Otherwise several rows of
    several words are a grid; rows of one text each are sentences where there are blanks within
    them; and all else is ranked.

    >>> [(one.part, one.form) for one in words_of({"p/2": [["a", "b"]], "p/1": [["c"]]})]
    [('p', 'pyramid')]
    """
    known = near or {}
    layers: dict[str, list[str]] = {}
    for name in sorted(words, key=_order):
        layers.setdefault(name.partition("/")[0], []).append(name)
    return tuple(
        PartWords(part, _form(names, words), tuple(_layer(words[n], known.get(n)) for n in names))
        for part, names in layers.items()
    )


def legible(word: str) -> str:
    r"""A token's text made readable: no blanks around it, and no control characters.

    >>> legible(" dog"), legible("\n"), legible(" "), legible("")
    ('dog', '↵', '␣', '∅')
    """
    shown = "".join(map(_visible, word.strip(" ")))
    return shown or (BLANK if word else EMPTY)


def is_led(word: str) -> bool:
    """Whether the word begins with a blank; tokens may differ in this alone."""
    return word.startswith(" ") and bool(word.strip(" "))


def _order(name: str) -> tuple[str, int, str]:
    part, _, layer = name.partition("/")
    return part, int(layer) if layer.isdecimal() else 0, layer


def _form(names: Sequence[str], words: Mapping[str, WordRows]) -> Form:
    if len(names) > 1 or "/" in names[0]:
        return "pyramid"
    rows = words[names[0]]
    if len(rows) > 1 and all(len(row) > 1 for row in rows):
        return "grid"
    alone = all(len(row) == 1 for row in rows)
    return "sentences" if alone and any(" " in row[0].strip() for row in rows) else "ranked"


def _layer(rows: WordRows, near: Sequence[WordRows] | None) -> Layer:
    if near is None:
        return Layer(tuple(tuple(map(Token, row)) for row in rows))
    return Layer(
        tuple(
            tuple(Token(word, tuple(cell)) for word, cell in zip(row, cells, strict=True))
            for row, cells in zip(rows, near, strict=True)
        )
    )


def _visible(character: str) -> str:
    strange = unicodedata.category(character) in {"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"}
    return CONTROLS.get(character, STRANGE) if strange else character
