"""COCO's average precision of boxes and masks: what one image contributes.

Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014. Detections are compared with
things as `COCOeval.evaluateImg` of pycocotools 2.0.11 does it (cocoeval.py, lines 235 to 313), by
its own overlaps. Detections are ranked by the score that the method itself gives, whatever it means
there (`own_score` in the ids): AP depends on the order of scores alone.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Bool, Float
from pycocotools import mask as coco
from torch import Tensor

from frostbench.plugins.contract.boxes import box_of
from frostbench.plugins.contract.datasets import Thing
from frostbench.plugins.contract.matches import NEITHER, RIGHT, WRONG, ClassMatches
from frostbench.plugins.contract.predictions import Boxes, Instances, Prediction
from frostbench.plugins.contract.requests import Box
from frostbench.plugins.contract.task import Target, TrueThings

THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10).tolist())
MOST = 100
"""Detections of one class in one image, the best by score; further ones are left out."""
SIZES = {
    "all": (0.0, 1e10),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e10),
}
"""The least and the greatest area in pixels; things of other sizes do not count."""

Region: TypeAlias = Any
"""A box or a run-length encoding, as COCO's tools take them."""


@dataclass(frozen=True)
class _Sized:
    """A predicted or a true thing: region, area in pixels, score and crowd.

    A true thing has no score, and a predicted one is no crowd.
    """

    name: str
    region: Region
    area: float
    score: float = 0.0
    crowd: bool = False


def matched_boxes(
    prediction: Prediction, target: Target, *, thresholds: Sequence[float], size: str
) -> list[ClassMatches]:
    """What the boxes of one image add to an average precision.

    A thing has the area that the data set says, which may be that of its mask.

    Raises:
        ValueError: the prediction holds no boxes, or the target no things.
    """
    if not isinstance(prediction, Boxes):
        raise ValueError(f"boxes are scored; the prediction is a {type(prediction).__name__}.")
    regions = [_sides(*box) for box in prediction.boxes.tolist()]
    scores = prediction.scores.tolist()
    found = [
        _Sized(name, region, region[2] * region[3], score)
        for name, region, score in zip(prediction.classes, regions, scores, strict=True)
    ]
    true = [
        _Sized(one.name, _sides(*one.box), one.area, crowd=one.crowd) for one in things_of(target)
    ]
    return _matched(found, true, thresholds, SIZES[size])


def matched_masks(
    prediction: Prediction, target: Target, *, thresholds: Sequence[float], size: str
) -> list[ClassMatches]:
    """What the masks of one image add to an average precision.

    Raises:
        ValueError: the prediction holds no instances, the target no things, or one has no mask or
            one of another size than the predicted ones.
    """
    if not isinstance(prediction, Instances):
        raise ValueError(f"masks are scored; the prediction is a {type(prediction).__name__}.")
    things = things_of(target)
    sides = {tuple(one.mask.shape) for one in things if one.mask is not None}
    if len(prediction.masks):
        sides.add(tuple(prediction.masks.shape[1:]))
    if any(one.mask is None for one in things) or len(sides) > 1:
        raise ValueError(
            "masks are compared with masks of the same size; the target has "
            f"{sum(one.mask is None for one in things)} things without one, and sizes are "
            f"{', '.join(map(str, sorted(sides)))}."
        )
    encoded = [run_length(mask) for mask in prediction.masks]
    found = [
        _Sized(name, region, float(coco.area(region)), score)
        for name, region, score in zip(
            prediction.classes, encoded, prediction.scores.tolist(), strict=True
        )
    ]
    true = [
        _Sized(one.name, run_length(one.mask), one.area, crowd=one.crowd)
        for one in things
        if one.mask is not None
    ]
    return _matched(found, true, thresholds, SIZES[size])


def things_of(target: Target) -> tuple[Thing, ...]:
    """The things of a target.

    Raises:
        ValueError: it holds none.
    """
    if not isinstance(target, TrueThings):
        raise ValueError(f"things are to be found; the target is a {type(target).__name__}.")
    return target.things


def run_length(mask: Bool[Tensor, "h w"]) -> Region:
    """A mask as COCO's tools take it."""
    return coco.encode(np.asfortranarray(mask.cpu().numpy().astype(np.uint8)))


def _sides(left: float, top: float, right: float, bottom: float) -> list[float]:
    """A box as COCO writes it: left, top, width, height; an inverted box is empty."""
    return [left, top, max(0.0, right - left), max(0.0, bottom - top)]


def _matched(
    found: Sequence[_Sized],
    true: Sequence[_Sized],
    thresholds: Sequence[float],
    limits: tuple[float, float],
) -> list[ClassMatches]:
    """Marks class by class, in the order of the classes' names."""
    mine: dict[str, list[_Sized]] = defaultdict(list)
    theirs: dict[str, list[_Sized]] = defaultdict(list)
    for one in found:
        mine[one.name].append(one)
    for one in true:
        theirs[one.name].append(one)
    return [
        _of_class(name, mine[name], theirs[name], thresholds, limits)
        for name in sorted({*mine, *theirs})
    ]


def _of_class(
    name: str,
    found: Sequence[_Sized],
    true: Sequence[_Sized],
    thresholds: Sequence[float],
    limits: tuple[float, float],
) -> ClassMatches:
    ranked = sorted(found, key=lambda one: -one.score)[:MOST]
    # Things that do not count come last, and take detections that are left.
    ordered = sorted(true, key=lambda one: _aside(one, limits))
    aside = [_aside(one, limits) for one in ordered]
    marks = [""] * len(ranked)
    overlaps = _overlaps(ranked, ordered)
    for threshold in thresholds:
        for place, mark in enumerate(_marks(ranked, ordered, aside, overlaps, threshold, limits)):
            marks[place] += mark
    return ClassMatches(name, aside.count(False), tuple(one.score for one in ranked), tuple(marks))


def _aside(one: _Sized, limits: tuple[float, float]) -> bool:
    """Whether a thing is neither to be found nor wrong to find."""
    return one.crowd or _outside(one, limits)


def _outside(one: _Sized, limits: tuple[float, float]) -> bool:
    return one.area < limits[0] or one.area > limits[1]


def _overlaps(found: Sequence[_Sized], true: Sequence[_Sized]) -> Float[np.ndarray, "n m"]:
    """Intersections over unions; of a crowd, over the detection's own area."""
    if not found or not true:
        return np.zeros((len(found), len(true)))
    crowds = [int(one.crowd) for one in true]
    overlaps = coco.iou([one.region for one in found], [one.region for one in true], crowds)
    return np.asarray(overlaps)


def _marks(
    found: Sequence[_Sized],
    true: Sequence[_Sized],
    aside: Sequence[bool],
    overlaps: Float[np.ndarray, "n m"],
    threshold: float,
    limits: tuple[float, float],
) -> list[str]:
    """A mark for each detection, the best score first: each takes the thing it overlaps most.

    Of equal overlaps the later thing is taken. A thing is taken once, a crowd any number of times.
    """
    taken: set[int] = set()
    marks = []
    for one, row in zip(found, overlaps, strict=True):
        best, most = None, min(threshold, 1 - 1e-10)
        for place, overlap in enumerate(row):
            if place in taken and not true[place].crowd:
                continue
            if best is not None and not aside[best] and aside[place]:
                break
            if overlap >= most:
                best, most = place, overlap
        if best is None:
            marks.append(NEITHER if _outside(one, limits) else WRONG)
        else:
            taken.add(best)
            marks.append(NEITHER if aside[best] else RIGHT)
    return marks


_boxes = partial(matched_boxes, thresholds=THRESHOLDS, size="all")
_masks = partial(matched_masks, thresholds=THRESHOLDS, size="all")

ap_boxes = _boxes
ap50_boxes = partial(_boxes, thresholds=(THRESHOLDS[0],))
ap75_boxes = partial(_boxes, thresholds=(THRESHOLDS[5],))
ap_small_boxes = partial(_boxes, size="small")
ap_medium_boxes = partial(_boxes, size="medium")
ap_large_boxes = partial(_boxes, size="large")
ap_masks = _masks
ap50_masks = partial(_masks, thresholds=(THRESHOLDS[0],))
ap75_masks = partial(_masks, thresholds=(THRESHOLDS[5],))
ap_small_masks = partial(_masks, size="small")
ap_medium_masks = partial(_masks, size="medium")
ap_large_masks = partial(_masks, size="large")

CLAIM_SCORE = 0.3
CLAIM_OVERLAP = 0.5


def share_claimed(prediction: Prediction, target: Target, *, asked: bool) -> tuple[float, float]:
    """What one image adds to the share of its things, asked for or not, that a box claims.

    Each box with a score of 0.3 or more claims the thing of any class that it overlaps most, if
    their IoU is 0.5 or more. Crowds do not count. Masks claim by their boxes.

    Raises:
        ValueError: the prediction holds neither boxes nor masks, or the target no things.
    """
    mine = [one for one in things_of(target) if not one.crowd]
    assert isinstance(target, TrueThings)
    others = [one for one in target.unasked if not one.crowd]
    boxes = [_sides(*box) for box in _confident(prediction)]
    claimed: set[int] = set()
    if boxes and (mine or others):
        true = [_sides(*one.box) for one in (*mine, *others)]
        for row in np.asarray(coco.iou(boxes, true, [0] * len(true))):
            if row.max() >= CLAIM_OVERLAP:
                claimed.add(int(row.argmax()))
    of_asked = sum(place < len(mine) for place in claimed)
    if asked:
        return float(of_asked), float(len(mine))
    return float(len(claimed) - of_asked), float(len(others))


def _confident(prediction: Prediction) -> list[Box]:
    match prediction:
        case Boxes(boxes, _, scores):
            pairs = zip(boxes.tolist(), scores.tolist(), strict=True)
            return [tuple(box) for box, score in pairs if score >= CLAIM_SCORE]
        case Instances(masks, _, scores):
            kept = zip(masks, scores.tolist(), strict=True)
            return [box_of(mask) for mask, score in kept if score >= CLAIM_SCORE and mask.any()]
        case _:
            raise ValueError(
                f"boxes or masks are scored; the prediction is a {type(prediction).__name__}."
            )


claimed_asked = partial(share_claimed, asked=True)
claimed_unasked = partial(share_claimed, asked=False)
