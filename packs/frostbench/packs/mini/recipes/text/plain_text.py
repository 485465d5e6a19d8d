"""Rows of plain text, on which the language model learns what words follow one another."""

from collections.abc import Sequence
from random import Random

from frostbench.packs.mini.recipes.text import corpus as text
from frostbench.packs.mini.recipes.text.exercises import Row, Segments


class Reader:
    """The text as rows: prose and templated sentences, one after another."""

    def __init__(self, segments: Segments) -> None:
        """Hold back every fiftieth paragraph for `held_out`."""
        self._segments = segments
        self._prose = [p for i, p in enumerate(text.prose()) if i % 50]
        self._held_out = text.prose()[::50]

    def row(self, random: Random, length: int, *, held_out: bool = False) -> Row:
        """A row of `length` ids, each of them a target."""
        paragraphs: Sequence[str] = self._held_out if held_out else self._prose
        ids = [self._segments.bos]
        prose = random.random() < 0.5
        while len(ids) < length:
            line = random.choice(paragraphs) if prose else text.sentence(random)
            ids += self._segments.encode(f"{line}\n")
        return Row(tuple(ids[:length]), (0.0, *[1.0] * (length - 1)), 1)
