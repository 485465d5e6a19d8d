"""Metrics of the one box that a visual chain of thought looks at."""

from frostbench.plugins.contract.predictions import Prediction, Reasoned
from frostbench.plugins.contract.requests import Box
from frostbench.plugins.contract.task import Target, TrueAnswer

ENOUGH = 0.5


def box_iou(one: Box, two: Box) -> float:
    """Intersection over union of two boxes that are not empty, in [0, 1]; higher is better.

    >>> box_iou((0.0, 0.0, 2.0, 1.0), (1.0, 0.0, 3.0, 1.0))
    0.3333333333333333
    """
    across = min(one[2], two[2]) - max(one[0], two[0])
    down = min(one[3], two[3]) - max(one[1], two[1])
    shared = max(0.0, across) * max(0.0, down)
    return shared / (_area(one) + _area(two) - shared)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def box_precision(prediction: Prediction, target: Target) -> tuple[float, float]:
    """`p@0.5[box]`: the share of looked-at boxes with an IoU of 0.5 or more; higher is better.

    One answer adds whether its box is right, and whether there is one: answers that looked at no
    box count for nothing, and a set of them has no value.

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
