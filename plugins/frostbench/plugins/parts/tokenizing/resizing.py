"""Resizes images to the one size that a network reads, and back."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional


def resized(pixels: Float[Tensor, "3 h w"], height: int, width: int) -> Float[Tensor, "3 h2 w2"]:
    """The image in another size, bilinear with antialiasing; unchanged if it has that size."""
    if tuple(pixels.shape[1:]) == (height, width):
        return pixels
    return functional.interpolate(
        pixels[None], (height, width), mode="bilinear", antialias=True, align_corners=False
    )[0]


def to_square(
    images: Float[Tensor, "b 3 h w"], sizes: Int[Tensor, "b 2"], side: int
) -> Float[Tensor, "b 3 {side} {side}"]:
    """A batch of padded images as squares, without their padding.

    The whole image is kept and its aspect ratio is not, so that a prediction of any size covers the
    request's image. Published evaluations crop to a square first, which a task can do; on square
    images both are the same.
    """
    pairs = zip(images, sizes.tolist(), strict=True)
    return torch.stack([resized(image[:, :h, :w], side, side) for image, (h, w) in pairs])
