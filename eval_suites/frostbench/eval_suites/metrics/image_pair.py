"""A predicted and a true image, checked before they are compared."""

import torch
from jaxtyping import Float
from torch import Tensor

from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.predictions import ImagePrediction, Prediction
from frostbench.plugins.contract.task import Target

TOLERANCE = 1e-4
"""How far a value may lie outside [0, 1]: what rounding does to an image that was clamped."""


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
    check_pixels("the prediction", pixels)
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
    # A sum's last bit depends on the order of its terms in memory: one order for all.
    return pixels.detach().to("cpu", torch.float64).contiguous()


def check_pixels(metric: str, pixels: Float[Tensor, "3 h w"]) -> None:
    """Refuse what is no image.

    Raises:
        ValueError: values are NaN, infinite or outside [0, 1].
    """
    wrong = int((~torch.isfinite(pixels)).sum())
    if wrong:
        raise ValueError(
            f"{metric}: {wrong} of {pixels.numel()} predicted values are NaN or infinite."
        )
    lowest, highest = float(pixels.min()), float(pixels.max())
    if lowest < -TOLERANCE or highest > 1 + TOLERANCE:
        raise ValueError(
            f"{metric}: predicted values lie in [{lowest:.4g}, {highest:.4g}]; an image's lie in "
            "[0, 1]: clamp them in `decode`."
        )


def _size(pixels: Tensor) -> str:
    return " x ".join(str(side) for side in pixels.shape[1:])


def _kind(value: object) -> str:
    return f"a {type(value).__name__}"
