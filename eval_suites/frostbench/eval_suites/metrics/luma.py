"""Luma of RGB images."""

from jaxtyping import Float
from torch import Tensor


def studio_luma(pixels: Float[Tensor, "3 h w"]) -> Float[Tensor, "1 h w"]:
    """Y of ITU-R BT.601 in studio range: [0, 1] becomes [16/255, 235/255], without rounding.

    The restoration literature's convention (MATLAB's `rgb2ycbcr`, pyiqa with `ycbcr`). Its PSNR
    lies 20 log10(255 / 219) = 1.32 dB above that of full-range luma.
    """
    red, green, blue = pixels[0:1], pixels[1:2], pixels[2:3]
    return (65.481 * red + 128.553 * green + 24.966 * blue + 16) / 255
