"""Peak signal-to-noise ratio, one image at a time."""

import math

from jaxtyping import Float
from torch import Tensor

from frostbench.eval_suites.metrics.image_metric import ImageMetric, inside
from frostbench.eval_suites.metrics.luma import studio_luma
from frostbench.plugins.contract.metric import MetricContext

CAP = 100.0
"""dB of two identical images, and the most that any two can have (as BasicSR and pyiqa do)."""


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


def psnr_rgb(_: MetricContext) -> ImageMetric:
    """`psnr[rgb]`: over the three channels of the whole image."""
    return ImageMetric("psnr[rgb]", psnr, True, "dB", 0.0, CAP)


def psnr_y(_: MetricContext) -> ImageMetric:
    """`psnr[y]`: on BT.601 studio-range luma, as V2L's evaluation has it (without its 1e-8)."""

    def score(prediction: Float[Tensor, "3 h w"], target: Float[Tensor, "3 h w"]) -> float:
        return psnr(studio_luma(prediction), studio_luma(target))

    return ImageMetric("psnr[y]", score, True, "dB", 0.0, CAP)


def psnr_rgb_crop4(_: MetricContext) -> ImageMetric:
    """`psnr[rgb-crop4]`: without the outer 4 pixels on each side, as LM4LV scores (BasicSR)."""

    def score(prediction: Float[Tensor, "3 h w"], target: Float[Tensor, "3 h w"]) -> float:
        return psnr(inside("psnr[rgb-crop4]", prediction), inside("psnr[rgb-crop4]", target))

    return ImageMetric("psnr[rgb-crop4]", score, True, "dB", 0.0, CAP)
