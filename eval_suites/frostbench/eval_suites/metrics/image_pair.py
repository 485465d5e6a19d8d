"""A predicted and a true image, checked before they are compared."""

import torch
from jaxtyping import Float
from torch import Tensor

from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.predictions import ImagePrediction, Prediction
from frostbench.plugins.contract.task import Target
from frostbench.plugins.contract.validity import check_image


def image_pair(
    metric: str, prediction: Prediction, target: Target
) -> tuple[Float[Tensor, "3 h w"], Float[Tensor, "3 h w"]]:
    """Prediction and target as double-precision pixels on the CPU.

    Raises:
        ValueError: the prediction or the target is no image, their sizes differ, or the
            prediction holds NaN, infinities or values outside [0, 1]. The sample is unscored.
    """
    if not isinstance(prediction, ImagePrediction):
        raise ValueError(f"{metric} scores images; the prediction is {_kind(prediction)}.")
    if not isinstance(target, Image):
        raise ValueError(f"{metric} scores images; the target is {_kind(target)}.")
    pixels, truth = prediction.pixels, target.pixels
    if pixels.shape != truth.shape:
        raise ValueError(
            f"{metric}: the predicted image is {_size(pixels)} and the target {_size(truth)}; "
            "predictions come back at the size of the request's image."
        )
    check_pixels(metric, pixels)
    return _plain(pixels), _plain(truth)


def _plain(pixels: Float[Tensor, "3 h w"]) -> Float[Tensor, "3 h w"]:
    # A sum's last bit depends on the order of its terms in memory: one order for all.
    return pixels.detach().to("cpu", torch.float64).contiguous()


def check_pixels(metric: str, pixels: Float[Tensor, "3 h w"]) -> None:
    """Refuse what is no image.

    Raises:
        ValueError: values are NaN, infinite or outside [0, 1].
    """
    try:
        check_image(pixels)
    except ValueError as error:
        raise ValueError(f"{metric}: {error}") from error


def _size(pixels: Tensor) -> str:
    return " x ".join(str(side) for side in pixels.shape[1:])


def _kind(value: object) -> str:
    return f"a {type(value).__name__}"
