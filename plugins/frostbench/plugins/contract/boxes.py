"""Boxes of masks."""

from jaxtyping import Bool
from torch import Tensor

from frostbench.plugins.contract.requests import Box


def box_of(mask: Bool[Tensor, "h w"]) -> Box:
    """The smallest box around a mask.

    >>> import torch
    >>> box_of(torch.tensor([[False, False, False], [False, True, True]]))
    (1.0, 1.0, 3.0, 2.0)

    Raises:
        ValueError: the mask is empty.
    """
    if not bool(mask.any()):
        raise ValueError("the mask is empty, so that there is no box around it.")
    rows, columns = (mask.any(axis).nonzero().flatten() for axis in (1, 0))
    left, right, top, bottom = columns[0], columns[-1] + 1, rows[0], rows[-1] + 1
    return float(left), float(top), float(right), float(bottom)
