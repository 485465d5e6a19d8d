"""F-LMM's four losses: cross-entropy and Dice, of the mask head's and of the refiner's masks."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

SMOOTH = 1.0  # smoothing of the Dice loss, in pixels: a rightly empty mask loses nothing


def dice(logits: Float[Tensor, "n h w"], target: Bool[Tensor, "n h w"]) -> Float[Tensor, " n"]:
    """1 minus the Dice coefficient of each mask, in [0, 1); lower is better.

    Sums are of probabilities and not of their squares ("naive" Dice).
    """
    chances, wanted = logits.sigmoid().flatten(1), target.flatten(1).to(logits.dtype)
    both = (chances * wanted).sum(1)
    return 1 - (2 * both + SMOOTH) / (chances.sum(1) + wanted.sum(1) + SMOOTH)


def cross_entropy(
    logits: Float[Tensor, "n h w"], target: Bool[Tensor, "n h w"]
) -> Float[Tensor, " n"]:
    """The binary cross-entropy of each mask, a mean over its pixels, in nats."""
    lost = functional.binary_cross_entropy_with_logits(
        logits, target.to(logits.dtype), reduction="none"
    )
    return lost.flatten(1).mean(1)


def resized(target: Bool[Tensor, "n h w"], size: tuple[int, int]) -> Bool[Tensor, "n h2 w2"]:
    """True masks at the size of a prediction, each cell the nearest pixel."""
    if tuple(target.shape[1:]) == size:
        return target
    return functional.interpolate(target[:, None].float(), size, mode="nearest")[:, 0] > 0.5


def union(logits: Float[Tensor, "n h w"], target: Bool[Tensor, "n h w"]) -> Float[Tensor, "2"]:
    """The sums, over all masks, of pixels in both masks and of pixels in either."""
    mask = logits > 0
    return torch.stack([(mask & target).sum(), (mask | target).sum()]).float()
