"""Which grid cells are restored together, and from which others.

Cells are counted row by row, so that a window may run over the end of a row, as in
V2L-Tokenizer's published code (Zhu et al., CVPR 2024, https://arxiv.org/abs/2403.07874).
"""

from itertools import pairwise

import torch
from jaxtyping import Bool
from torch import Tensor


def hidden_cells(
    hidden: Bool[Tensor, "h w"], rows: int, columns: int
) -> Bool[Tensor, "{rows} {columns}"]:
    """A cell is hidden if any of its pixels is."""
    # Adaptive pooling covers, for each cell, every pixel that the cell touches.
    pooled = torch.nn.functional.adaptive_max_pool2d(hidden[None].float(), (rows, columns))
    return pooled[0] > 0


def windows(wanted: Bool[Tensor, " cells"], step: int) -> list[range]:
    """The wanted cells in order, at most `step` neighbours at a time, and no other cell.

    The published code always takes `step` cells, and overwrites visible ones where that does not
    divide a run of hidden cells; here the run's last window is shorter.

    >>> windows(torch.tensor([False, True, True, True, False, True]), 2)
    [range(1, 3), range(3, 4), range(5, 6)]
    """
    places = wanted.nonzero().flatten().tolist()
    ends = [i + 1 for i, (a, b) in enumerate(pairwise(places)) if b != a + 1]
    runs = [places[a:b] for a, b in pairwise([0, *ends, len(places)]) if a < b]
    return [
        range(start, min(start + step, run[-1] + 1))
        for run in runs
        for start in range(run[0], run[-1] + 1, step)
    ]


def parents(window: range, shape: tuple[int, int], above: tuple[int, int]) -> list[int]:
    """The cells of a coarser grid that cover a window's cells, each once, in order.

    >>> parents(range(2, 4), (4, 4), (2, 2)), parents(range(0, 2), (2, 2), (2, 2))
    ([1], [0, 1])
    """
    (rows, columns), (coarse_rows, coarse_columns) = shape, above
    over = [
        (cell // columns * coarse_rows // rows) * coarse_columns
        + cell % columns * coarse_columns // columns
        for cell in window
    ]
    return list(dict.fromkeys(over))
