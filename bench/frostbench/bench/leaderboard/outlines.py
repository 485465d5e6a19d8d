"""Outlines of masks, as paths that a page draws over an image at any size."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool

Corner: TypeAlias = tuple[int, int]


def outline(mask: Bool[np.ndarray, "h w"]) -> str:
    """The border of a mask along the edges of its pixels, as the `d` of an SVG path.

    One closed loop for each border, holes among them, so that the rule "evenodd" fills the mask;
    of an empty mask, nothing.

    >>> outline(np.array([[True, True]]))
    'M0 0H2V1H0Z'
    """
    return "".join(map(_path, _loops(_edges(mask))))


def box_outline(box: Sequence[float]) -> str:
    """The border of a box: left, top, right, bottom.

    >>> box_outline((1.0, 2.0, 4.0, 3.5))
    'M1 2H4V3.5H1Z'
    """
    left, top, right, bottom = box
    return f"M{left:g} {top:g}H{right:g}V{bottom:g}H{left:g}Z"


def box_around(mask: Bool[np.ndarray, "h w"]) -> tuple[float, float, float, float]:
    """The smallest box around a mask; of an empty one, nothing at the upper left.

    >>> box_around(np.array([[False, False, False], [False, True, True]]))
    (1.0, 1.0, 3.0, 2.0)
    """
    if not mask.any():
        return 0.0, 0.0, 0.0, 0.0
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _edges(mask: Bool[np.ndarray, "h w"]) -> dict[Corner, list[Corner]]:
    """Edges between a pixel inside and one outside, from corner to corner, inside on the right."""
    padded = np.pad(mask, 1)
    after: dict[Corner, list[Corner]] = defaultdict(list)
    # By direction: the shift to the neighbour outside, then start and end from the pixel's corner.
    sides = (
        ((0, -1), (0, 0), (1, 0)),
        ((1, 0), (1, 0), (1, 1)),
        ((0, 1), (1, 1), (0, 1)),
        ((-1, 0), (0, 1), (0, 0)),
    )
    height, width = mask.shape
    for (dx, dy), start, end in sides:
        beyond = padded[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        for y, x in np.argwhere(mask & ~beyond).tolist():
            after[x + start[0], y + start[1]].append((x + end[0], y + end[1]))
    return after


def _loops(after: dict[Corner, list[Corner]]) -> Iterable[list[Corner]]:
    """Closed loops of all edges. Where two meet at a corner, either way closes them."""
    while after:
        first = min(after)
        loop, corner = [first], first
        while True:
            ends = after[corner]
            corner = ends.pop()
            if not ends:
                del after[loop[-1]]
            if corner == first:
                break
            loop.append(corner)
        yield loop


def _path(loop: Sequence[Corner]) -> str:
    """A loop with the corners left out at which it goes straight on."""
    turns = [
        corner
        for before, corner, behind in zip(
            (loop[-1], *loop[:-1]), loop, (*loop[1:], loop[0]), strict=True
        )
        if not (before[0] == corner[0] == behind[0] or before[1] == corner[1] == behind[1])
    ]
    (x, y), *others = turns
    path, last = f"M{x} {y}", (x, y)
    for corner in others:
        path += f"V{corner[1]}" if corner[0] == last[0] else f"H{corner[0]}"
        last = corner
    return path + "Z"
