"""Attention weights of a phrase's tokens, laid out as maps over the image.

A phrase's tokens are the queries, and the positions of an image the keys. Weights are the ordinary
ones, of a softmax over all that a token may look at, so that a map does not sum to 1.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from frostbench.plugins.backbones.numberless import is_numberless
from frostbench.plugins.backbones.views import View

Merge: TypeAlias = Literal["mean", "max"]
"""How a phrase's tokens are combined; every released configuration takes the mean."""

ROUNDING = 1e-6  # tolerance of computed edges, in grid cells


def image_keys(views: Sequence[View], start: int) -> tuple[int, ...]:
    """The prompt positions of an image's views, one after another; the image begins at `start`."""
    return tuple(at for view in views for at in view.positions(start))


def merged(
    attention: Float[Tensor, "layers heads queries keys"],
    phrases: Sequence[Sequence[int]],
    merge: Merge,
) -> Float[Tensor, "n channels keys"]:
    """One row for each phrase, layer and head; a phrase is given as the numbers of its queries.

    Channel `layer * heads + head` holds that layer and head.
    """
    rows = attention.flatten(0, 1)
    several = (rows[:, list(queries)] for queries in phrases)
    if merge == "mean":
        return torch.stack([row.mean(1) for row in several])
    return torch.stack([row.amax(1) for row in several])


def laid_out(
    rows: Float[Tensor, "n channels keys"], views: Sequence[View]
) -> Float[Tensor, "n channels2 h w"]:
    """Attention rows as maps of the last view's size; keys are the views' positions in order.

    Where there are several views (LLaVA-Next: coarse, then fine), all channels of the first come
    before all of the next.
    """
    fine = views[-1].rows, views[-1].columns
    parts = torch.split(rows, [view.rows * view.columns for view in views], 2)
    maps = [
        part.reshape(*part.shape[:2], view.rows, view.columns)
        for part, view in zip(parts, views, strict=True)
    ]
    return torch.cat([_resized(part, fine) for part in maps], 1)


def of_image(
    logits: Float[Tensor, "n rows columns"],
    views: Sequence[View],
    size: tuple[int, int],
    outside: float = -1.0,
) -> Float[Tensor, "n h w"]:
    """The grid cells of masks over a view that lie on the image of `size`, as published.

    Padding around the image is cut off, to whole cells. Where a view leaves edges of the image out,
    cells hold `outside`, or the lowest logit if that is lower. LLaVA-Next's finest view is taken to
    be the image.
    """
    if len(views) > 1:
        return logits
    left, top, right_end, bottom = views[0].box
    down = _cells(top, bottom, size[0], logits.shape[1])
    right = _cells(left, right_end, size[1], logits.shape[2])
    edges = [
        -right[0],
        right[0] + right[1] - logits.shape[2],
        -down[0],
        down[0] + down[1] - logits.shape[1],
    ]
    value = lowest(logits, outside)
    return functional.pad(logits, edges, value=value)


def enlarged(
    logits: Float[Tensor, "n rows columns"], size: tuple[int, int]
) -> Float[Tensor, "n h w"]:
    """Logits of an image's grid cells, resized to the image's pixels."""
    return functional.interpolate(logits[:, None], size, mode="bilinear", align_corners=False)[:, 0]


def _cells(start: float, stop: float, length: int, count: int) -> tuple[int, int]:
    """The first of `count` cells from `start` to `stop` within 0 to `length`, and how many are.

    >>> _cells(-10, 30, 20, 8), _cells(2, 18, 20, 8), _cells(0, 20, 20, 8)
    ((2, 4), (-1, 10), (0, 8))
    """
    cell = (stop - start) / count
    first = int(-start / cell + (ROUNDING if start < 0 else -ROUNDING))
    return first, max(1, int(length / cell + 0.5 + ROUNDING))


def lowest(logits: Float[Tensor, "*shape"], most: float) -> float:
    """The lowest logit, and `most` where that is higher, or where there are no numbers."""
    return most if is_numberless(logits) else min(most, float(logits.detach().min()))


def _resized(
    maps: Float[Tensor, "n channels _h _w"], size: tuple[int, int]
) -> Float[Tensor, "n channels h w"]:
    if tuple(maps.shape[2:]) == size:
        return maps
    return functional.interpolate(maps, size, mode="bilinear", align_corners=False)
