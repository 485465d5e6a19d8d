"""The class of every metric that compares two images without a network."""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from frostbench.eval_suites.metrics.image_pair import image_pair
from frostbench.plugins.contract.predictions import Prediction
from frostbench.plugins.contract.task import Target

BORDER = 4
"""Pixels that LM4LV's evaluation (BasicSR's `crop_border`) leaves out on each side."""


def inside(metric: str, pixels: Float[Tensor, "3 h w"]) -> Float[Tensor, "3 inner_h inner_w"]:
    """The image without its outer 4 pixels.

    Raises:
        ValueError: nothing is left.
    """
    if min(pixels.shape[1:]) <= 2 * BORDER:
        raise ValueError(f"{metric}: an image of {2 * BORDER} pixels or less has no inside.")
    return pixels[:, BORDER:-BORDER, BORDER:-BORDER]


@dataclass
class ImageMetric:
    """A function of two images under an id; see `frostbench.plugins.contract.metric.Metric`."""

    id: str
    function: Callable[[Float[Tensor, "3 h w"], Float[Tensor, "3 h w"]], float]
    higher_is_better: bool
    unit: str
    lower: float | None
    upper: float | None

    def __call__(self, prediction: Prediction, target: Target) -> float:
        """The score of one sample.

        Raises:
            ValueError: the images cannot be compared; see `picture_pair`.
        """
        return self.function(*image_pair(self.id, prediction, target))
