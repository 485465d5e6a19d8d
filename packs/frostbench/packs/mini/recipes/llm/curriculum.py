"""Chooses exercises and their difficulty: the next level comes when the last is mastered."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from frostbench.packs.mini.recipes.text import corpus as text
from frostbench.packs.mini.recipes.text.exercises import (
    ExerciseRow,
    PieceRows,
    Repeats,
    RestorationExercise,
    WordLists,
)

LEVELS = {"repeats": 2, "oracle": 6, "copy": 4, "lists": 10}
_MASTERED = {"repeats": 0.9, "oracle": 0.7, "copy": 0.7, "lists": 0.75}
_SHARES = {"repeats": 0.05, "oracle": 0.25, "copy": 0.3, "lists": 0.4}


@dataclass
class Curriculum:
    """The level of each kind of exercise, and a running mean of how much of it is solved."""

    levels: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LEVELS, 0))
    solved: dict[str, float] = field(default_factory=lambda: dict.fromkeys(LEVELS, 0.0))
    tries: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LEVELS, 0))

    def choose(self, random: Random) -> str:
        """The kind of the next exercise: repeats alone until they are mastered, then all."""
        if self.levels["repeats"] == 0:
            return "repeats"
        return random.choices(list(_SHARES), list(_SHARES.values()))[0]

    def saw(self, kind: str, solved: float) -> None:
        """Record the share of right answers in a batch, and move up a level when it suffices."""
        self.tries[kind] += 1
        weight = max(0.05, 1 / self.tries[kind])
        self.solved[kind] += weight * (solved - self.solved[kind])
        ready = self.tries[kind] >= 20 and self.solved[kind] >= _MASTERED[kind]
        if ready and self.levels[kind] < LEVELS[kind]:
            self.levels[kind] += 1
            self.tries[kind] = 0

    def state_dict(self) -> dict[str, Any]:
        """Levels, running means and counts of tries."""
        return {"levels": self.levels, "solved": self.solved, "tries": self.tries}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore values from `state_dict`."""
        self.levels, self.solved, self.tries = state["levels"], state["solved"], state["tries"]


def batch(
    kind: str, level: int, random: Random, pieces: PieceRows, tokens: int, longest: int
) -> list[ExerciseRow]:
    """Rows of one exercise and of about equal length: at most `tokens` in all, `longest` each."""
    while True:
        make = _SHAPES[kind](level, random, pieces)
        rows = [make()]
        if len(rows[0].ids) <= longest:
            break
    while (len(rows) + 1) * max(len(row.ids) for row in rows) <= tokens:
        rows.append(make())
    return rows


def _repeats(level: int, random: Random, pieces: PieceRows) -> Callable[[], ExerciseRow]:
    repeats = Repeats(length=random.choice((64, 96, 128)), chunks=random.randint(2, 3 + 2 * level))
    return lambda: repeats.row(random, pieces)


def _oracle(level: int, random: Random, pieces: PieceRows) -> Callable[[], ExerciseRow]:
    exercise = RestorationExercise(
        inputs=random.choice((2, 2, 2, 4, 8, 16, 16) if level > 1 else (2, 2, 4)),
        outputs=random.choice(_OUTPUTS),
        examples=random.choice(_EXAMPLES),
        noise=min(1.0, 0.4 + 0.1 * level),
        span=random.choice((0, 0, 64, 256, 1024)),
    )
    return lambda: exercise.row(random, pieces)


def _copy(level: int, random: Random, pieces: PieceRows) -> Callable[[], ExerciseRow]:
    inputs = random.choice((2, 2, 2, 4, 8, 16, 16) if level > 0 else (2, 2, 4))
    exercise = RestorationExercise(
        inputs=inputs,
        outputs=min(inputs, random.choice(_OUTPUTS)),
        examples=random.choice(_EXAMPLES),
        noise=random.uniform(0, 0.25 * level),
        oracle=False,
        span=random.choice((0, 0, 64, 256, 1024)),
    )
    return lambda: exercise.row(random, pieces)


def _lists(level: int, random: Random, pieces: PieceRows) -> Callable[[], ExerciseRow]:
    most = 0.08 * max(0, level - 5)
    exercise = WordLists(
        ways=random.choice((2, 2, 3, 4, 5, 5) if level > 1 else (2, 3)),
        shots=random.choice((1, 1, 1, 2, 3, 5) if level > 3 else (1,)),
        words=random.choice(_WORDS[min(level, len(_WORDS) - 1)]),
        noise=random.uniform(0.0, most),
        rounds=random.randint(0 if level > 4 else 5, 10 if level < 8 else 6),
        simple_labels=level == 0,
    )
    return lambda: exercise.row(random, pieces, text.names())


# Equally many for voting and for copying, so that their number does not tell which is asked for.
_EXAMPLES = (5, 8, 10, 10, 10, 10, 10, 10)
_OUTPUTS = (1, *[2] * 10, 4)
_WORDS = ((1, 2), (2, 3), (3, 5), (5,), (5, 8), (5, 8, 10), (5, 8, 10), (5, 5, 8, 10, 21, 21))
_SHAPES = {"repeats": _repeats, "oracle": _oracle, "copy": _copy, "lists": _lists}
