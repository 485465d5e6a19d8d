"""Hides pixels of an image: which ones, and what stands in their place."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

GREY = 0.5
"""What hidden pixels hold."""


def hide(pixels: Float[Tensor, "3 h w"], hidden: Bool[Tensor, "h w"]) -> Float[Tensor, "3 h w"]:
    """The image with hidden pixels mid-grey.

    The published evaluation hides nothing at pixel level: there the visible tokens come from an
    encoder that has seen what is to be restored. Here they do not.
    """
    return torch.where(hidden, torch.full_like(pixels, GREY), pixels)


def random_cells(
    height: int, width: int, cell: int, share: float, seed: int
) -> Bool[Tensor, "{height} {width}"]:
    """True in square cells of `cell` pixels, drawn from the seed.

    The share is of all cells, also those cut off at the right and bottom edge, rounded to the
    nearest whole number, but at least one cell and never all of them.

    Raises:
        ValueError: the image has a single cell.
    """
    rows, columns = -(-height // cell), -(-width // cell)
    cells = rows * columns
    if cells < 2:
        raise ValueError(
            f"of an image of {height} x {width}, which is a single cell of {cell} pixels, no part "
            "can be hidden; choose a smaller cell."
        )
    count = min(max(1, round(share * cells)), cells - 1)
    hidden = torch.zeros(cells, dtype=torch.bool)
    draw = torch.Generator().manual_seed(seed)
    hidden[torch.randperm(cells, generator=draw)[:count]] = True
    wide = hidden.view(rows, columns).repeat_interleave(cell, 0).repeat_interleave(cell, 1)
    return wide[:height, :width].contiguous()
