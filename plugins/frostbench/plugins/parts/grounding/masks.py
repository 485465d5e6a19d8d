"""Masks of phrases from logits of grid cells, without a trained mask head."""

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from frostbench.plugins.backbones.sam import Sam
from frostbench.plugins.contract.boxes import box_of
from frostbench.plugins.contract.images import Image

EIGHT = np.ones((3, 3))  # neighbours of a grid cell, those at its corners included


def parts_of(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    """The number of each cell's 8-connected part (from 1; 0 outside), and the number of parts."""
    labels, count = ndimage.label(mask, EIGHT)
    return labels, int(count)


def largest_part(logits: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows columns"]:
    """The logits, made negative outside the largest part; of two equal parts the first counts.

    >>> largest_part(torch.tensor([[1.0, 0.0, -1.0, 2.0, 2.0]])) > 0
    tensor([[False, False, False,  True,  True]])
    """
    labels, count = parts_of((logits > 0).numpy())
    if count < 2:
        return logits
    sizes = np.bincount(labels.ravel())[1:]
    outside = torch.from_numpy((labels > 0) & (labels != 1 + sizes.argmax()))
    return torch.where(outside, -logits, logits)


def refined(masks: Bool[Tensor, "n h w"], sam: Sam, image: Image) -> Bool[Tensor, "n h w"]:
    """What SAM finds in the tight box of each mask; an empty one stays empty."""
    found = masks.clone()
    for own, mask in zip(found, masks, strict=True):
        if mask.any():
            own.copy_(sam.masks_from_boxes(image, torch.tensor([box_of(mask)]))[0])
    return found
