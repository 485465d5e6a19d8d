"""Checks a predicted and a true image before they are compared."""

import torch
from jaxtyping import Float
from torch import Tensor

from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.predictions import ImagePrediction, Prediction
from frostbench.plugins.contract.task import Target
from frostbench.plugins.contract.validity import check_image

BORDER = 4
"""Pixels that LM4LV's evaluation (BasicSR's `crop_border`) leaves out on each side."""


def image_pair(
    prediction: Prediction, target: Target
) -> tuple[Float[Tensor, "3 h w"], Float[Tensor, "3 h w"]]:
    """Prediction and target as double-precision pixels on the CPU.

    Raises:
        ValueError: the prediction or the target is no image, their sizes differ, or the
            prediction holds NaN, infinities or values outside [0, 1]. The sample is unscored.
    """
    if not isinstance(prediction, ImagePrediction):
        raise ValueError(f"images are scored; the prediction is {_kind(prediction)}.")
    if not isinstance(target, Image):
        raise ValueError(f"images are scored; the target is {_kind(target)}.")
    pixels, truth = prediction.pixels, target.pixels
    if pixels.shape != truth.shape:
        raise ValueError(
            f"the predicted image is {_size(pixels)} and the target {_size(truth)}; "
            "predictions come back at the size of the request's image."
        )
    check_image(pixels)
    return _plain(pixels), _plain(truth)


def inside(pixels: Float[Tensor, "3 h w"]) -> Float[Tensor, "3 inner_h inner_w"]:
    """The image without its outer 4 pixels.

    Raises:
        ValueError: nothing is left.
    """
    if min(pixels.shape[1:]) <= 2 * BORDER:
        raise ValueError(f"an image of {2 * BORDER} pixels or less has no inside.")
    return pixels[:, BORDER:-BORDER, BORDER:-BORDER]


def _plain(pixels: Float[Tensor, "3 h w"]) -> Float[Tensor, "3 h w"]:
    # A sum's last bit depends on the order of its terms in memory, so all tensors get one order.
    return pixels.detach().to("cpu", torch.float64).contiguous()


def _size(pixels: Tensor) -> str:
    return " x ".join(str(side) for side in pixels.shape[1:])


def _kind(value: object) -> str:
    return f"a {type(value).__name__}"
