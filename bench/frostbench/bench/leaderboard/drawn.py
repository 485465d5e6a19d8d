"""What is drawn over an image: outlines of masks and boxes, and what stands beside them."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Bool
from torch import Tensor

from frostbench.bench.leaderboard.outlines import box_outline, outline
from frostbench.plugins.contract.boxes import box_of
from frostbench.plugins.contract.datasets import Thing
from frostbench.plugins.contract.predictions import Boxes, Instances

COLOURS = 10  # that phrases and classes take in turn
MOST = 12  # detections drawn over an image, the best by score
NOWHERE = (0.0, 0.0, 0.0, 0.0)
LETTER = 0.68  # the width of a letter by its height, as most are


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
    """An outline over an image: the path, the colour's number, and whether it fills what it holds.

    `true` is one that is right where nothing else says so: it is drawn dashed. So is what was not
    asked for.
    """

    path: str
    colour: int
    filled: bool = True
    true: bool = False
    label: Label | None = None


def drawn_masks(masks: Bool[Tensor, "n h w"]) -> tuple[Drawn, ...]:
    """Masks, each in the colour of its phrase; of empty ones nothing."""
    drawn = [Drawn(outline(mask), n % COLOURS) for n, mask in enumerate(masks.numpy())]
    return tuple(one for one in drawn if one.path)


def drawn_things(
    things: Sequence[Thing],
    unasked: Sequence[Thing],
    classes: Sequence[str],
    size: tuple[int, int],
    masked: bool,
) -> tuple[Drawn, ...]:
    """True things in the colours of their classes; what is not asked for is dashed.

    As masks where masks are asked for; a crowd by its box.
    """
    drawn = []
    for one, asked in (*((one, True) for one in things), *((one, False) for one in unasked)):
        mask = one.mask if masked and not one.crowd else None
        path = box_outline(one.box) if mask is None else outline(mask.numpy())
        colour = classes.index(one.name) % COLOURS if asked and one.name in classes else 0
        text = f"{one.name}{', a crowd' if one.crowd else ''}"
        label = _label(text, one.box, size, colour)
        filled = asked and mask is not None
        drawn.append(Drawn(path, colour, filled, not asked, label if asked else None))
    return tuple(one for one in drawn if one.path)


def drawn_found(
    found: Boxes | Instances, classes: Sequence[str], size: tuple[int, int]
) -> tuple[Drawn, ...]:
    """The best detections in the colours of their classes, each with class and score."""
    order = sorted(range(len(found.classes)), key=lambda place: -float(found.scores[place]))
    drawn = []
    for place in order[:MOST]:
        name, score = found.classes[place], float(found.scores[place])
        colour = classes.index(name) % COLOURS if name in classes else 0
        if isinstance(found, Instances):
            mask = found.masks[place]
            path, box = outline(mask.numpy()), box_of(mask) if mask.any() else NOWHERE
        else:
            left, top, right, bottom = found.boxes[place].tolist()
            box = left, top, right, bottom
            path = box_outline(box)
        label = _label(f"{name} {score:.2f}", box, size, colour)
        drawn.append(Drawn(path, colour, isinstance(found, Instances), label=label))
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
