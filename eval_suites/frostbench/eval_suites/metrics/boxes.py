"""Metrics of the one box that a visual chain of thought looks at."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from frostbench.plugins.contract.metric import MetricContext
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


@dataclass
class BoxPrecision:
    """The share of looked-at boxes with an IoU of 0.5 or more; higher is better.

    Answers that looked at no box count for nothing: a set of them has no value.
    """

    id: str = "p@0.5[box]"
    higher_is_better: bool = True
    unit: str = ""
    lower: float | None = 0.0
    upper: float | None = 1.0
    pooling: Literal["ratio", "bleu"] = "ratio"

    def counts(self, prediction: Prediction, target: Target) -> Sequence[float]:
        """Whether the box is right, and whether there is one.

        Raises:
            ValueError: the prediction is no reasoned answer, or the target has no box.
        """
        if not isinstance(prediction, Reasoned) or not isinstance(target, TrueAnswer):
            raise ValueError(
                f"{self.id} scores the boxes of reasoned answers; these are a "
                f"{type(prediction).__name__} and a {type(target).__name__}."
            )
        if prediction.box is None:
            return 0.0, 0.0
        return float(box_iou(prediction.box, target.box) >= ENOUGH), 1.0


def box_precision(_: MetricContext) -> BoxPrecision:
    """`p@0.5[box]`: the boxes of thoughts."""
    return BoxPrecision()
