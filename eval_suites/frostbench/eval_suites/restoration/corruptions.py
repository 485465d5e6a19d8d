"""Corruptions: pure functions of an image, scaled to its size.

Parameters are those of V2L-Tokenizer's published evaluation (Zhu et al., CVPR 2024), which works on
images of 128 pixels.
"""

import random
from dataclasses import dataclass
from math import ceil

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import conv2d, pad

PUBLISHED_SIDE = 128
"""Pixels of the images for which the published parameters are meant."""

PUBLISHED_KERNELS = (5, 7, 7, 9, 9, 11, 11)
"""Equally likely sizes of the blur's kernel: albumentations before 2.0, asked for 5 to 11, draws a
whole number and makes an even one odd, so that 5 comes half as often as the others."""


def central_square(height: int, width: int) -> Bool[Tensor, "{height} {width}"]:
    """True in the middle half of rows and columns: a quarter of the image (inpainting)."""
    hidden = torch.zeros(height, width, dtype=torch.bool)
    hidden[height // 4 : height - height // 4, width // 4 : width - width // 4] = True
    return hidden


def lower_half(height: int, width: int) -> Bool[Tensor, "{height} {width}"]:
    """True in the lower half of the rows (outpainting)."""
    hidden = torch.zeros(height, width, dtype=torch.bool)
    hidden[height // 2 :] = True
    return hidden


# OpenCV's own kernels for a size without sigma, from the middle outwards, in parts of 256.
_FIXED_KERNELS = {
    3: (128, 64),
    5: (96, 64, 16),
    7: (72, 56, 28, 8),
    9: (60, 51, 30, 13, 4),
}


@dataclass(frozen=True)
class Blur:
    """A Gaussian blur: kernel size in pixels (odd), and its standard deviation.

    A sigma of 0 is derived from the size, as in OpenCV: fixed kernels of 3 to 9 pixels, and for
    larger ones a sigma of 0.3 ((k - 1) / 2 - 1) + 0.8.
    """

    kernel: int
    sigma: float = 0.0

    def weights(self, dtype: torch.dtype) -> Float[Tensor, " {self.kernel}"]:
        """The kernel along one axis; its sum is 1."""
        radius = self.kernel // 2
        steps = torch.arange(-radius, radius + 1, dtype=dtype)
        if not self.sigma and self.kernel in _FIXED_KERNELS:
            half = torch.tensor(_FIXED_KERNELS[self.kernel], dtype=dtype) / 256
            return half[steps.abs().long()]
        weights = torch.exp(-0.5 * (steps / (self.sigma or _sigma_of(self.kernel))).square())
        return weights / weights.sum()


def _sigma_of(kernel: int) -> float:
    return 0.3 * ((kernel - 1) / 2 - 1) + 0.8


def draw_blur(seed: int, side: int, kernels: tuple[int, ...] = PUBLISHED_KERNELS) -> Blur:
    """The blur of one image whose shorter side has `side` pixels.

    At 128 pixels kernel sizes 5, 7, 9 and 11 have probabilities 1/7, 2/7, 2/7 and 2/7, and sigma is
    OpenCV's for the size; see `Blur`. At other sizes the sigma of its formula (1.1, 1.4, 1.7 or
    2.0) is scaled with the side, and the kernel's radius too, rounded up.
    """
    kernel = random.Random(seed).choice(kernels)
    if side == PUBLISHED_SIDE:
        return Blur(kernel)
    scale = side / PUBLISHED_SIDE
    return Blur(2 * ceil((kernel - 1) / 2 * scale) + 1, _sigma_of(kernel) * scale)


def blurred(pixels: Float[Tensor, "3 h w"], blur: Blur) -> Float[Tensor, "3 h w"]:
    """The image under a Gaussian blur, its borders mirrored without the outermost pixel.

    OpenCV's `GaussianBlur` with its default border, on floats.
    """
    weights = blur.weights(pixels.dtype)
    wide = pad(pixels[:, None], (blur.kernel // 2,) * 4, mode="reflect")
    smooth = conv2d(conv2d(wide, weights.view(1, 1, 1, -1)), weights.view(1, 1, -1, 1))
    return smooth[:, 0].clamp(0, 1)


def crop(
    pixels: Float[Tensor, "3 h w"], top: int, left: int, side: int
) -> Float[Tensor, "3 {side} {side}"]:
    """A square part of the image.

    Raises:
        ValueError: it does not lie within the image.
    """
    height, width = pixels.shape[1:]
    if min(top, left) < 0 or top + side > height or left + side > width:
        raise ValueError(
            f"a crop of {side} pixels from row {top} and column {left} on does not lie within an "
            f"image of {height} x {width}."
        )
    return pixels[:, top : top + side, left : left + side].contiguous()
