"""Rows of plain text, from which the language model learns how words follow one another."""

from collections.abc import Sequence
from random import Random

from frostbench.packs.mini.recipes.text import corpus as text
from frostbench.packs.mini.recipes.text.exercises import ExerciseRow, PieceRows


class PlainText:
    """The text as rows: prose and templated sentences, one after another."""

    def __init__(self, pieces: PieceRows, prose: Sequence[str]) -> None:
        """Hold back every fiftieth paragraph for `held_out`."""
        self._pieces = pieces
        self._prose = [p for i, p in enumerate(prose) if i % 50]
        self._held_out = prose[::50]

    def row(self, random: Random, length: int, *, held_out: bool = False) -> ExerciseRow:
        """A row of `length` ids, each of them a target."""
        paragraphs: Sequence[str] = self._held_out if held_out else self._prose
        ids = [self._pieces.bos]
        prose = random.random() < 0.5
        while len(ids) < length:
            line = random.choice(paragraphs) if prose else text.sentence(random)
            ids += self._pieces.encode(f"{line}\n")
        return ExerciseRow(tuple(ids[:length]), (0.0, *[1.0] * (length - 1)), 1)
