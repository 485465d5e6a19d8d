"""Structural similarity (Wang et al., 2004), with the borders left out."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d

from frostbench.eval_suites.metrics.image_pair import image_pair, inside
from frostbench.eval_suites.metrics.luma import studio_luma
from frostbench.plugins.contract.predictions import Prediction
from frostbench.plugins.contract.task import Target

SIGMA = 1.5
RADIUS = 5  # the window is cut at 3.5 sigma, as scikit-image does: 11 x 11 pixels
C1, C2 = 0.01**2, 0.03**2  # for a data range of 1


def ssim(prediction: Float[Tensor, "c h w"], target: Float[Tensor, "c h w"]) -> float:
    """Mean SSIM of images in [0, 1], in [-1, 1]; higher is better, identical images have 1.

    A Gaussian window of sigma 1.5, covariances divided by n, only windows that lie wholly inside
    the image, the mean over channels: scikit-image's `structural_similarity` with
    `gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1`.

    Raises:
        ValueError: a side of the image is shorter than the window's 11 pixels.
    """
    if min(target.shape[1:]) <= 2 * RADIUS:
        sides = " x ".join(str(side) for side in target.shape[1:])
        raise ValueError(f"ssim: the window has 11 x 11 pixels, the image only {sides}.")
    a, b = prediction.double(), target.double()
    mean_a, mean_b, square_a, square_b, product = _smooth(torch.stack([a, b, a * a, b * b, a * b]))
    variance_a = square_a - mean_a * mean_a
    variance_b = square_b - mean_b * mean_b
    covariance = product - mean_a * mean_b
    likeness = ((2 * mean_a * mean_b + C1) * (2 * covariance + C2)) / (
        (mean_a.square() + mean_b.square() + C1) * (variance_a + variance_b + C2)
    )
    return float(likeness.mean())


def ssim_rgb(prediction: Prediction, target: Target) -> float:
    """`ssim[rgb]`: the mean of the three channels' SSIM."""
    return ssim(*image_pair(prediction, target))


def ssim_y(prediction: Prediction, target: Target) -> float:
    """`ssim[y]`: on BT.601 studio-range luma; the data range stays 1 (255 in 8 bits)."""
    return ssim(*map(studio_luma, image_pair(prediction, target)))


def ssim_rgb_crop4(prediction: Prediction, target: Target) -> float:
    """`ssim[rgb-crop4]`: without the outer 4 pixels on each side, as LM4LV scores (BasicSR)."""
    return ssim(*map(inside, image_pair(prediction, target)))


def _smooth(maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c valid_h valid_w"]:
    """Gaussian means of every window that lies wholly inside."""
    steps = torch.arange(-RADIUS, RADIUS + 1, dtype=maps.dtype)
    weights = torch.exp(-0.5 * (steps / SIGMA).square())
    weights = weights / weights.sum()
    n, c, h, w = maps.shape
    planes = maps.reshape(n * c, 1, h, w)
    planes = conv2d(conv2d(planes, weights.view(1, 1, -1, 1)), weights.view(1, 1, 1, -1))
    return planes.view(n, c, h - 2 * RADIUS, w - 2 * RADIUS)
