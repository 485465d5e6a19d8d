"""One-to-one matching between predictions and targets (Hungarian)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Matched:
    """Pairs of a batch: in image `image[k]`, prediction `guess[k]` is matched with `target[k]`.

    `target` counts the targets of the whole batch, image after image.
    """

    image: Int[Tensor, " k"]
    guess: Int[Tensor, " k"]
    target: Int[Tensor, " k"]


def matched(cost: Float[Tensor, "b m t"], counts: Sequence[int]) -> Matched:
    """The pairs of least total cost, image by image.

    `cost` compares every prediction of each image with the targets of the whole batch, `counts` of
    them an image, one image after another. With fewer predictions than targets, the most costly
    targets stay unmatched.
    """
    finite = cost.detach().float().nan_to_num(1e6, 1e6, -1e6).cpu()
    images, guesses, targets, start = [], [], [], 0
    for image, count in enumerate(counts):
        rows, columns = linear_sum_assignment(finite[image, :, start : start + count].numpy())
        images += [image] * len(rows)
        guesses += rows.tolist()
        targets += (columns + start).tolist()
        start += count
    device = cost.device
    pairs = (
        torch.tensor(part, dtype=torch.long, device=device) for part in (images, guesses, targets)
    )
    return Matched(*pairs)


def corners(boxes: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 4"]:
    """Boxes (centre x, centre y, width, height) as (left, top, right, bottom)."""
    centre, size = boxes[..., :2], boxes[..., 2:]
    return torch.cat((centre - size / 2, centre + size / 2), -1)


def overlap(
    first: Float[Tensor, "*#n 4"], second: Float[Tensor, "*#n 4"]
) -> tuple[Float[Tensor, "*n"], Float[Tensor, "*n"]]:
    """Intersection over union of boxes (left, top, right, bottom), and its generalised form.

    The latter is IoU - (hull - union) / hull, with hull the smallest box around both (Rezatofighi
    et al., CVPR 2019). A box whose corners are the wrong way round has area 0.
    """
    shared = _area(
        torch.maximum(first[..., :2], second[..., :2]),
        torch.minimum(first[..., 2:], second[..., 2:]),
    )
    union = _area(first[..., :2], first[..., 2:]) + _area(second[..., :2], second[..., 2:]) - shared
    hull = _area(
        torch.minimum(first[..., :2], second[..., :2]),
        torch.maximum(first[..., 2:], second[..., 2:]),
    )
    iou = shared / union.clamp(min=1e-7)
    return iou, iou - (hull - union) / hull.clamp(min=1e-7)


def _area(low: Float[Tensor, "*n 2"], high: Float[Tensor, "*n 2"]) -> Float[Tensor, "*n"]:
    return (high - low).clamp(min=0).prod(-1)
