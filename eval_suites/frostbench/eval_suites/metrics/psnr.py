"""Peak signal-to-noise ratio, one image at a time."""

import math

from jaxtyping import Float
from torch import Tensor

from frostbench.eval_suites.metrics.image_pair import image_pair, inside
from frostbench.eval_suites.metrics.luma import studio_luma
from frostbench.plugins.contract.predictions import Prediction
from frostbench.plugins.contract.task import Target

CAP = 100.0
"""The PSNR in dB of two identical images, which caps all others (as in BasicSR and pyiqa)."""


def psnr(prediction: Float[Tensor, "c h w"], target: Float[Tensor, "c h w"]) -> float:
    """PSNR in dB of images in [0, 1]; higher is better, and identical images have 100.

    The squared error is averaged over all pixels and channels of this one image; a set's PSNR
    is the mean of its images' values, not the value of the mean error.

    >>> import torch
    >>> round(psnr(torch.zeros(3, 4, 4), torch.full((3, 4, 4), 0.1)), 4)
    20.0
    """
    error = float((prediction.double() - target.double()).square().mean())
    return CAP if error == 0 else min(CAP, -10 * math.log10(error))


def psnr_rgb(prediction: Prediction, target: Target) -> float:
    """`psnr[rgb]`: over the three channels of the whole image."""
    return psnr(*image_pair(prediction, target))


def psnr_y(prediction: Prediction, target: Target) -> float:
    """`psnr[y]`: on BT.601 studio-range luma, as V2L's evaluation has it (without its 1e-8)."""
    return psnr(*map(studio_luma, image_pair(prediction, target)))


def psnr_rgb_crop4(prediction: Prediction, target: Target) -> float:
    """`psnr[rgb-crop4]`: without the outer 4 pixels on each side, as LM4LV scores (BasicSR)."""
    return psnr(*map(inside, image_pair(prediction, target)))
