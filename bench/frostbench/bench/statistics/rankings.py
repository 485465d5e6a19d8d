"""Rankings of detections, and the areas under their curves, for many parts of a set at once.

Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014. Areas are equal to those of
`COCOeval.accumulate` of pycocotools 2.0.11 (cocoeval.py, lines 315 to 420), on whichever images are
kept; tests hold the two together.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

RIGHT, WRONG = "+", "-"  # codes of right and wrong marks; any other counts as neither
RECALLS = np.linspace(0.0, 1.0, 101)
CELLS_AT_ONCE = 1 << 20  # values held at a time


@runtime_checkable
class Matches(Protocol):
    """What one sample adds for a class: its number of things, and each detection's score and marks.

    Marks are one character for each threshold of overlap, "+" right and "-" wrong.
    """

    @property
    def name(self) -> str:
        """The class."""
        ...

    @property
    def things(self) -> int:
        """How many there are to be found."""
        ...

    @property
    def scores(self) -> Sequence[float]:
        """One a detection."""
        ...

    @property
    def marks(self) -> Sequence[str]:
        """One a detection."""
        ...


@dataclass(frozen=True, eq=False)
class _Ranked:
    """The right and the wrong detections of a class at one threshold, the best scores first.

    `whose` is the group of each right one, and `before` counts, by group, the wrong ones before it.
    """

    whose: Int[np.ndarray, " r"]
    before: Float[np.ndarray, "groups r"]

    @staticmethod
    def of(kinds: Sequence[str], rows: Int[np.ndarray, " n"], groups: int) -> "_Ranked":
        marks = np.array(kinds, dtype="U1")
        right, wrong = np.flatnonzero(marks == RIGHT), np.flatnonzero(marks == WRONG)
        before = np.zeros((groups, len(right) + 1))
        # A wrong one counts from the first right one after it on.
        np.add.at(before, (rows[wrong], np.searchsorted(right, wrong)), 1)
        return _Ranked(rows[right], before[:, :-1].cumsum(1))

    def areas(
        self, reached: Int[np.ndarray, "sets found"], kept: Float[np.ndarray, "sets groups"]
    ) -> Float[np.ndarray, " sets"]:
        """The mean of the interpolated precision at 101 recalls, for each set of groups.

        `kept` is 1 for each group of a set, and 0 for the others. `reached` are `_recalls` of the
        things of each set.
        """
        mine = kept[:, self.whose]
        found = mine.cumsum(1, dtype=np.int64)
        precision = mine * found / np.maximum(found + kept @ self.before, 1)
        best_from_here = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        # Each right detection covers the recalls between the one before it and its own.
        until = np.take_along_axis(reached, found, 1)
        own = np.diff(until, axis=1, prepend=0)
        area: Float[np.ndarray, " sets"] = (best_from_here * own).sum(1) / len(RECALLS)
        return area


@dataclass(frozen=True, eq=False)
class Curve:
    """A class: its things by group, and its rankings, each with the share of thresholds it has."""

    things: Float[np.ndarray, " groups"]
    ranked: tuple[tuple[_Ranked, float], ...]

    def areas(self, kept: Float[np.ndarray, "sets groups"]) -> Float[np.ndarray, " sets"]:
        """The mean over thresholds, for each set of groups; NaN where a set shows no thing."""
        things = (kept @ self.things).astype(np.int64)
        most = max([0, *things, *(len(one.whose) for one, _ in self.ranked)])
        numbers, which = np.unique(things, return_inverse=True)
        table = np.zeros((len(numbers), most + 1), dtype=np.int64)
        for row, number in zip(table, numbers.tolist(), strict=True):
            row[: number + 1] = _recalls(number)
        mean = np.zeros(len(kept))
        for one, share in self.ranked:
            mean += share * one.areas(table[which], kept)
        return np.where(things > 0, mean, np.nan)


def curves_of(found: Iterable[tuple[int, Sequence[Matches]]], groups: int) -> Sequence[Curve]:
    """The curves of all classes that have things, of (group, matches) of each image.

    Of equal scores, those of the earlier image come first.
    """
    by_name: dict[str, list[tuple[int, Matches]]] = defaultdict(list)
    for row, matches in found:
        for one in matches:
            by_name[one.name].append((row, one))
    curves = (_curve(by_name[name], groups) for name in sorted(by_name))
    return [curve for curve in curves if curve.things.any()]


def mean_area(
    curves: Sequence[Curve], kept: Bool[np.ndarray, "sets groups"]
) -> Float[np.ndarray, " sets"]:
    """The mean area of the classes that have things in each set of groups; NaN where none has."""
    if not curves:
        return np.full(len(kept), np.nan)
    longest = max((len(one.whose) for curve in curves for one, _ in curve.ranked), default=0)
    parts, step = [], max(1, CELLS_AT_ONCE // (longest + kept.shape[1]))
    for start in range(0, len(kept), step):
        # As floats: products of truth values and numbers are many times slower.
        some = kept[start : start + step].astype(np.float64)
        areas = np.array([curve.areas(some) for curve in curves])
        counted = ~np.isnan(areas)
        total, seen = np.where(counted, areas, 0).sum(0), counted.sum(0)
        parts.append(np.where(seen > 0, total / np.maximum(seen, 1), np.nan))
    return np.concatenate(parts)


@lru_cache(maxsize=512)
def _recalls(things: int) -> Int[np.ndarray, " found"]:
    """For this many things, how many of the recalls are reached after finding 0, 1, ... of them."""
    reached = np.searchsorted(RECALLS, np.arange(things + 1) / max(things, 1), side="right")
    reached[0] = 0  # where nothing is found, not even a recall of 0
    return reached


def _curve(found: Sequence[tuple[int, Matches]], groups: int) -> Curve:
    things = np.zeros(groups)
    for row, one in found:
        things[row] += one.things
    scores = np.array([score for _, one in found for score in one.scores])
    rows = np.array([row for row, one in found for _ in one.scores], dtype=np.int64)
    marks = [mark for _, one in found for mark in one.marks]
    order = np.argsort(-scores, kind="stable")
    thresholds = len(marks[0]) if marks else 0
    # Neighbouring thresholds often have the same right and wrong detections.
    kinds = Counter(
        "".join(marks[place][number] for place in order) for number in range(thresholds)
    )
    return Curve(
        things,
        tuple(
            (_Ranked.of(tuple(kind), rows[order], groups), times / thresholds)
            for kind, times in kinds.items()
        ),
    )
