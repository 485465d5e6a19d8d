"""Pictures as a CLIP tower reads them, without leaving tensors."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def for_clip(images: Float[Tensor, "b 3 h w"], visual: Any) -> Float[Tensor, "b 3 s s"]:
    """Resize, crop and normalise pictures in [0, 1] for an open_clip visual tower.

    The short side takes the tower's size by bicubic interpolation with antialiasing, then the
    middle is cropped; mean and deviation are the tower's own.
    """
    size = visual.image_size
    side = int(size[0] if isinstance(size, (tuple, list)) else size)
    height, width = images.shape[-2:]
    if (height, width) != (side, side):
        scale = side / min(height, width)
        shape = (max(side, round(height * scale)), max(side, round(width * scale)))
        images = functional.interpolate(images, shape, mode="bicubic", antialias=True).clamp(0, 1)
        top, left = (shape[0] - side) // 2, (shape[1] - side) // 2
        images = images[:, :, top : top + side, left : left + side]
    mean = torch.tensor(visual.image_mean, device=images.device)[:, None, None]
    deviation = torch.tensor(visual.image_std, device=images.device)[:, None, None]
    return (images - mean) / deviation
