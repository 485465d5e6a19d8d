"""Boxes and masks of COCO's annotations, checked before native code reads them."""

from typing import Any

import torch
from jaxtyping import Bool
from pycocotools import mask as coco
from torch import Tensor

from frostbench.plugins.contract.requests import Box

LARGEST = 1e15


def box_in(where: str, edges: Any, size: tuple[int, int]) -> Box:
    """The box of an image of a size, from its left and top edge, its width and its height.

    Raises:
        ValueError: it is no such box, or lies far out of the image.
    """
    left, top, width, height = finite(where, edges, 4, "box")
    if width < 0 or height < 0:
        raise ValueError(f"{where} has a box of {width:g} x {height:g} pixels.")
    # Boxes may exceed the image by parts of a pixel; farther out, a box belongs to another image.
    far = 2 * max(size)
    if min(left, top) < -far or max(left + width, top + height) > far:
        raise ValueError(f"{where} has a box far out of its image of {size} pixels.")
    return left, top, left + width, top + height


def finite(where: str, values: Any, count: int, what: str) -> list[float]:
    """Exactly `count` finite numbers.

    Raises:
        ValueError: they are fewer, more, or something else.
    """
    numbers = values if isinstance(values, list) else []
    if len(numbers) != count or not all(
        isinstance(one, int | float) and not isinstance(one, bool) and abs(one) < LARGEST
        for one in numbers
    ):
        raise ValueError(
            f"{where} has {str(values)[:80]} for its {what}, and {count} finite numbers are wanted."
        )
    return [float(one) for one in numbers]


def mask_of(segmentation: Any, size: tuple[int, int], where: str) -> Bool[Tensor, "h w"]:
    """A mask of polygons, or of run lengths, as COCO's own tools draw it.

    Raises:
        ValueError: it is neither, or of another size than its image.
    """
    height, width = size
    try:
        if isinstance(segmentation, list):
            _check_polygons(segmentation, size)
            encoded = coco.merge(coco.frPyObjects(segmentation, height, width))
        elif tuple(segmentation["size"]) != size:
            # A mask of an unexpected size is never drawn.
            found = tuple(map(int, segmentation["size"]))
            raise _SizeError(f"its mask is {found}, and the image {size} (height, width).")
        elif isinstance(segmentation["counts"], list):
            _check_lengths(segmentation["counts"], height * width)
            encoded = coco.frPyObjects(segmentation, height, width)
        else:
            encoded = segmentation
        return torch.from_numpy(coco.decode(encoded)).bool()
    except _SizeError as error:
        raise ValueError(f"{where}: {error}") from None
    except Exception as error:  # COCO's tools fail in any way on what is no mask
        raise ValueError(
            f"{where}: its segmentation is neither polygons nor run lengths."
        ) from error


class _SizeError(Exception):
    """A mask is of another size than its image."""


def _check_polygons(polygons: list[Any], size: tuple[int, int]) -> None:
    """Check that corners lie near the image: COCO's tools draw whatever is between them.

    Raises:
        ValueError: one does not, or there are none.
    """
    far = 2 * max(size)
    for polygon in polygons:
        # COCO's tools take four numbers for a box, and pass over an odd one.
        if len(polygon) < 6 or len(polygon) % 2:
            raise ValueError("a polygon has two numbers for each of three corners or more")
        if not all(-far <= float(number) <= far for number in polygon):
            raise ValueError("a corner is far out of the image")


def _check_lengths(counts: list[Any], pixels: int) -> None:
    """Check that run lengths fit the image.

    Raises:
        ValueError: they are not.
    """
    if not all(isinstance(one, int) and one >= 0 for one in counts) or sum(counts) != pixels:
        raise ValueError("its run lengths are those of another image")
