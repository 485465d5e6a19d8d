"""SPAE's dilation subsampler: which grid cells each layer of the pyramid codes."""

from functools import lru_cache

import torch
from jaxtyping import Int
from torch import Tensor


def axis(grid: int, side: int) -> list[int]:
    """The rows (or columns) that a layer of `side` x `side` tokens takes from the grid, from 0 on.

    With the ratio r = grid / side they are r i - ceil(r / 2) for i = 1 .. side (the formula is
    unverified; it counts from 1 and adds 1).

    >>> axis(16, 1), axis(16, 2), axis(16, 4)
    ([8], [4, 12], [2, 6, 10, 14])

    Raises:
        ValueError: the grid is no multiple of the layer.
    """
    if side < 1 or grid % side:
        raise ValueError(
            f"a layer of {side}x{side} tokens cannot be taken evenly from a grid of {grid}x{grid} "
            "cells; let every layer's side divide the grid's."
        )
    ratio = grid // side
    return [ratio * i - -(-ratio // 2) for i in range(1, side + 1)]


def places(grid: int, side: int) -> Int[Tensor, " n"]:
    """The cells of a layer as indices into the flattened grid, row by row."""
    taken = torch.tensor(axis(grid, side))
    return (taken[:, None] * grid + taken).flatten()


@lru_cache(maxsize=64)
def sources(grid: int, layers: tuple[int, ...]) -> Int[Tensor, " cells"]:
    """For each cell, the cell whose code it shows when a pyramid ends after these layers.

    A cell that one of the layers codes shows its own. Any other shows the nearest cell of the last
    layer, of equally near ones the first; the paper says nothing of pyramids that are cut.
    """
    coded = torch.zeros(grid * grid, dtype=torch.bool)
    for side in layers:
        coded[places(grid, side)] = True
    last = places(grid, layers[-1])
    cells = torch.arange(grid * grid)
    rows, columns = cells // grid, cells % grid
    far = (rows[:, None] - rows[last]).square() + (columns[:, None] - columns[last]).square()
    return torch.where(coded, cells, last[far.argmin(1)])
