"""Contours: points along the boundary of a mask, and masks of polygons.

The rule for choosing points is not found in the paper. Ours: along the largest component, at equal
arc length, clockwise from the topmost point; other components and holes are lost.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from pycocotools import mask as coco
from scipy import ndimage
from torch import Tensor

# Steps along the boundary with the inside at the right, as (column, row), clockwise.
_STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))


def contour(mask: Bool[Tensor, "h w"], points: int) -> Float[Tensor, "{points} 2"]:
    """`points` points (x, y) in pixels at equal arc length along the boundary of a mask.

    The boundary runs along the edges of pixels, clockwise on the screen; the first point is the
    leftmost of the topmost ones.

    Raises:
        ValueError: the mask is empty.
    """
    corners = boundary(mask)
    closed = np.concatenate((corners, corners[:1])).astype(np.float64)
    length = np.concatenate(([0.0], np.cumsum(np.abs(np.diff(closed, axis=0)).sum(1))))
    at = np.arange(points) * length[-1] / points
    chosen = np.stack([np.interp(at, length, closed[:, axis]) for axis in (0, 1)], 1)
    return torch.from_numpy(chosen).float()


def boundary(mask: Bool[Tensor, "h w"]) -> NDArray[np.int64]:
    """The corners `[n, 2]` of the boundary of a mask's largest component, one for each pixel edge.

    Raises:
        ValueError: the mask is empty.
    """
    inside = _largest(mask.cpu().numpy())
    row, column = np.argwhere(inside)[0]
    start = (int(column), int(row))
    padded = np.pad(inside, 1)
    x, y, heading = *start, 0
    corners = []
    while True:
        corners.append((x, y))
        # At a corner where two pixels touch, the right turn keeps to the component's own edge.
        for turn in (1, 0, 3):
            towards = (heading + turn) % 4
            if _runs(padded, x, y, towards):
                heading = towards
                break
        x, y = x + _STEPS[heading][0], y + _STEPS[heading][1]
        if (x, y) == start:
            return np.array(corners)


def filled(polygon: Float[Tensor, "n 2"], height: int, width: int) -> Bool[Tensor, "h w"]:
    """The mask of a polygon with points (x, y) in pixels, as COCO's tools fill it.

    A polygon of fewer than three points gives an empty mask.
    """
    if len(polygon) < 3:
        return torch.zeros(height, width, dtype=torch.bool)
    flat = [polygon.detach().double().flatten().tolist()]
    encoded = coco.merge(coco.frPyObjects(flat, height, width))
    return torch.from_numpy(coco.decode(encoded)).bool()


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest component of pixels that touch at a side; of equal ones the first."""
    labels, count = ndimage.label(mask)
    if not count:
        raise ValueError("the mask is empty, so that there is no contour around it.")
    sizes = np.bincount(labels.flatten())[1:]
    largest: NDArray[np.bool_] = labels == sizes.argmax() + 1
    return largest


def _runs(padded: NDArray[np.bool_], x: int, y: int, heading: int) -> bool:
    """Whether an edge runs from a corner in a direction, with the inside at its right."""
    # Pixel (row y, column x) of the mask is padded[y + 1, x + 1]; four pixels meet at a corner.
    above = padded[y, x], padded[y, x + 1]
    below = padded[y + 1, x], padded[y + 1, x + 1]
    right, left = (
        (below[1], above[1]),
        (below[0], below[1]),
        (above[0], below[0]),
        (above[1], above[0]),
    )[heading]
    return bool(right) and not bool(left)
