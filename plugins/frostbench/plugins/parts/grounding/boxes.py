"""Boxes of phrases, from the logits of their masks."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from frostbench.plugins.contract.boxes import box_of
from frostbench.plugins.contract.predictions import Boxes


def located(logits: Float[Tensor, "n h w"], phrases: Sequence[str]) -> Boxes:
    """The smallest box around each phrase's mask; F-LMM's paper has masks alone.

    A score is the mean probability of the mask's pixels. An empty mask gives an empty box in the
    middle of the image; its score is the highest probability of any pixel, at most 0.5.
    """
    height, width = logits.shape[1:]
    middle = (width / 2, height / 2, width / 2, height / 2)
    boxes, scores = [], []
    for one in logits:
        mask, probability = one > 0, one.sigmoid()
        boxes.append(box_of(mask) if mask.any() else middle)
        scores.append(probability[mask].mean() if mask.any() else probability.max())
    return Boxes(torch.tensor(boxes), tuple(phrases), torch.stack(scores))
