"""Metrics of predicted boxes: those of chains of thought, and one box for each phrase."""

from functools import partial

from frostbench.plugins.contract.predictions import Boxes, Prediction, Reasoned
from frostbench.plugins.contract.requests import Box
from frostbench.plugins.contract.task import Target, TrueAnswer, TrueBoxes

ENOUGH = 0.5


def box_iou(one: Box, two: Box) -> float:
    """Intersection over union of two boxes, in [0, 1]; higher is better. Two empty ones score 0.

    >>> box_iou((0.0, 0.0, 2.0, 1.0), (1.0, 0.0, 3.0, 1.0))
    0.3333333333333333
    """
    across = min(one[2], two[2]) - max(one[0], two[0])
    down = min(one[3], two[3]) - max(one[1], two[1])
    shared = max(0.0, across) * max(0.0, down)
    union = _area(one) + _area(two) - shared
    return shared / union if union > 0 else 0.0


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def box_precision(prediction: Prediction, target: Target) -> tuple[float, float]:
    """`p@0.5[box]`: the share of looked-at boxes with an IoU of 0.5 or more; higher is better.

    One answer adds whether its box is right, and whether it has one: answers that looked at no box
    do not count, and a set of such answers has no value.

    Raises:
        ValueError: the prediction is no reasoned answer, or the target has no box.
    """
    if not isinstance(prediction, Reasoned) or not isinstance(target, TrueAnswer):
        raise ValueError(
            f"the boxes of reasoned answers are scored; these are a {type(prediction).__name__} "
            f"and a {type(target).__name__}."
        )
    if prediction.box is None:
        return 0.0, 0.0
    return float(box_iou(prediction.box, target.box) >= ENOUGH), 1.0


def located(prediction: Prediction, target: Target, *, strict: bool) -> tuple[float, float]:
    """What one request adds to the share of phrases whose box is right; higher is better.

    Right is an IoU of 0.5 or more, or, if `strict`, of more than 0.5, as VisionLLM's second version
    counts. Papers seldom say which.

    Raises:
        ValueError: the prediction or the target holds no boxes, or they differ in number.
    """
    if not isinstance(prediction, Boxes) or not isinstance(target, TrueBoxes):
        raise ValueError(
            f"boxes of phrases are scored; these are a {type(prediction).__name__} and a "
            f"{type(target).__name__}."
        )
    overlaps = [
        box_iou(tuple(said), true)
        for said, true in zip(prediction.boxes.tolist(), target.boxes, strict=True)
    ]
    right = [overlap > ENOUGH if strict else overlap >= ENOUGH for overlap in overlaps]
    return float(sum(right)), float(len(right))


sentence_precision = partial(located, strict=False)
"""`p@0.5[sentences-iou>=0.5]`: as RefCOCO is scored, a request a sentence."""

strict_sentence_precision = partial(located, strict=True)
"""`p@0.5[sentences-iou>0.5]`."""
