"""Masks in COCO's run-length encoding, as its tools write and read them."""

import math
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias, TypedDict

import numpy as np
import torch
from jaxtyping import Bool
from pycocotools import mask as coco
from torch import Tensor

from frostbench.bench.store.typed import typed

MOST_PIXELS = 1 << 29  # of all masks of an image


class RunLengths(TypedDict):
    """A mask column by column: its height and width, and the lengths of its runs, compressed."""

    size: list[int]
    counts: str


Encoded: TypeAlias = list[RunLengths]


@dataclass(frozen=True)
class _Encoded:
    """`RunLengths`, as it is read."""

    size: tuple[int, int]
    counts: str


def run_lengths(masks: Bool[Tensor, "n h w"]) -> Encoded:
    """Masks as COCO's compressed strings, which its tools read.

    >>> run_lengths(torch.tensor([[[False, True], [True, True]]]))
    [{'size': [2, 2], 'counts': '13'}]
    """
    # The tools want one array [h, w, n], columns first.
    columns = np.asfortranarray(masks.cpu().permute(1, 2, 0).numpy().astype(np.uint8))
    return [
        {"size": [int(side) for side in one["size"]], "counts": one["counts"].decode("ascii")}
        for one in coco.encode(columns)
    ]


def masks_of(encoded: Any) -> Bool[Tensor, "n h w"]:
    """The masks that `run_lengths` described; of none, an empty tensor of one pixel.

    Raises:
        ValueError: it is no such encoding, two are of different sizes, or they are too large.
    """
    read: list[_Encoded] = typed(list[_Encoded], encoded)
    sizes = {one.size for one in read}
    if len(sizes) > 1:
        raise ValueError(f"masks of one image have sizes {sorted(sizes)}.")
    if not encoded:
        return torch.zeros(0, 1, 1, dtype=torch.bool)
    (size,) = sizes
    if min(size) < 0 or len(read) * math.prod(size) > MOST_PIXELS:
        raise ValueError(f"{len(read)} masks of size {size} are too large.")
    return (
        torch.from_numpy(coco.decode([asdict(one) for one in read]))
        .permute(2, 0, 1)
        .bool()
        .contiguous()
    )
