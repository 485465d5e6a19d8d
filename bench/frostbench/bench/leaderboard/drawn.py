"""Outlines of masks and boxes that are drawn over an image, with their labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool

from frostbench.bench.leaderboard.outlines import box_around, box_outline, outline
from frostbench.bench.store.forms import (
    Corners,
    StoredBoxes,
    StoredInstances,
    StoredThing,
    StoredThings,
)
from frostbench.bench.store.masks import masks_of
from frostbench.bench.store.typed import typed

COLOURS = 10  # colours that phrases and classes take in turn
MOST = 12  # detections drawn over an image, the best by score
FAINT = 0.1  # share of the best score; weaker detections are not drawn, as they hide others
LETTER = 0.68  # usual width of a letter relative to its height


@dataclass(frozen=True)
class Label:
    """A text over an image: where its first letter stands, its height, and the colour's number."""

    text: str
    x: float
    y: float
    size: float
    colour: int


@dataclass(frozen=True)
class Drawn:
    """An outline over an image: the path, the colour's number, and whether its inside is filled.

    `true` marks a target that is not labelled as one otherwise: it is drawn dashed. So are things
    that were not asked for.
    """

    path: str
    colour: int
    filled: bool = True
    true: bool = False
    label: Label | None = None


def drawn_true(
    kind: str, values: Any, classes: Sequence[str], size: tuple[int, int], masked: bool
) -> tuple[Drawn, ...]:
    """The outlines of a stored target, things as masks if `masked`."""
    if kind == "things":
        read: StoredThings = typed(StoredThings, values)
        return drawn_things(read.things, read.unasked, classes, size, masked)
    if kind == "boxes":
        return drawn_located(typed(tuple[Corners, ...], values))
    return drawn_masks(values["masks"] if isinstance(values, dict) else values)


def drawn_masks(encoded: Any) -> tuple[Drawn, ...]:
    """Masks, each in the colour of its phrase; empty ones are left out."""
    masks = masks_of(encoded).numpy()
    drawn = [Drawn(outline(mask), n % COLOURS) for n, mask in enumerate(masks)]
    return tuple(one for one in drawn if one.path)


def drawn_things(
    things: Sequence[StoredThing],
    unasked: Sequence[StoredThing],
    classes: Sequence[str],
    size: tuple[int, int],
    masked: bool,
) -> tuple[Drawn, ...]:
    """True things in the colours of their classes; those not asked for are dashed.

    As masks where masks are asked for; a crowd by its box.
    """
    drawn = []
    for one, asked in (*((one, True) for one in things), *((one, False) for one in unasked)):
        mask = one.mask if masked and not one.crowd else None
        path = box_outline(one.box) if mask is None else outline(_mask(mask))
        colour = classes.index(one.name) % COLOURS if asked and one.name in classes else 0
        text = f"{one.name}{', a crowd' if one.crowd else ''}"
        label = _label(text, one.box, size, colour)
        filled = asked and mask is not None
        drawn.append(Drawn(path, colour, filled, not asked, label if asked else None))
    return tuple(one for one in drawn if one.path)


def drawn_found(
    found: StoredBoxes | StoredInstances, classes: Sequence[str], size: tuple[int, int]
) -> tuple[Drawn, ...]:
    """The best detections in the colours of their classes, each with class and score."""
    order = sorted(range(len(found.classes)), key=lambda place: -found.scores[place])
    least = FAINT * max(found.scores, default=0.0)
    drawn = []
    for place in [place for place in order if found.scores[place] >= least][:MOST]:
        name, score = found.classes[place], found.scores[place]
        colour = classes.index(name) % COLOURS if name in classes else 0
        if isinstance(found, StoredInstances):
            mask = _mask(found.masks[place])
            path, box = outline(mask), box_around(mask)
        else:
            box = found.boxes[place]
            path = box_outline(box)
        label = _label(f"{name} {score:.2f}", box, size, colour)
        drawn.append(Drawn(path, colour, isinstance(found, StoredInstances), label=label))
    # The best lies on top.
    return tuple(one for one in reversed(drawn) if one.path)


def drawn_located(
    boxes: Sequence[Sequence[float]], true: Sequence[Sequence[float]] = ()
) -> tuple[Drawn, ...]:
    """One box for each phrase in the phrase's colour, and the true ones dashed."""
    dashed = [Drawn(box_outline(box), 0, filled=False, true=True) for box in true]
    own = [
        Drawn(box_outline(box), number % COLOURS, filled=False) for number, box in enumerate(boxes)
    ]
    return (*dashed, *own)


def _mask(encoded: Any) -> Bool[np.ndarray, "h w"]:
    mask: Bool[np.ndarray, "h w"] = masks_of([encoded])[0].numpy()
    return mask


def _label(text: str, box: Sequence[float], size: tuple[int, int], colour: int) -> Label:
    """A text at the upper left corner of a box: above it where there is room, and in the image."""
    height, width = size
    letter = max(height, width) / 15
    wide = LETTER * letter * len(text)
    letter *= min(1.0, width / wide)
    x = max(0.0, min(box[0], width - LETTER * letter * len(text)))
    above = box[1] - 0.25 * letter
    y = above if above >= letter else min(box[1] + letter, height - 0.2 * letter)
    return Label(text, round(x, 1), round(y, 1), round(letter, 1), colour)
