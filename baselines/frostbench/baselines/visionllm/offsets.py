"""Coordinates as offsets from an image token's centre, in location words (section 3.4).

With the centre (cx, cy) in parts of an image of size (W, H), and R location words on either side
of 0, a point (x, y) is i_x = clamp(round((x / W - cx) R), -R, R), and likewise for y with H.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def encoded(
    points: Float[Tensor, "*n p 2"], centres: Float[Tensor, "*n 2"], half_range: int
) -> Int[Tensor, "*n p 2"]:
    """The location words of points, as numbers from -`half_range` to `half_range`.

    Points and centres are (x, y) in parts of the image.
    """
    steps = ((points - centres[..., None, :]) * half_range).round()
    return steps.clamp(-half_range, half_range).to(torch.long)


def decoded(
    words: Int[Tensor, "*n p 2"], centres: Float[Tensor, "*n 2"], half_range: int
) -> Float[Tensor, "*n p 2"]:
    """The points, in parts of the image, that location words name."""
    return placed(words.to(centres.dtype) / half_range, centres)


def placed(
    offsets: Float[Tensor, "*n p 2"], centres: Float[Tensor, "*n 2"]
) -> Float[Tensor, "*n p 2"]:
    """The points, in parts of the image, at offsets from centres."""
    return centres[..., None, :] + offsets
