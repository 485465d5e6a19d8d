"""Runs a network image by image, so that no result depends on the rest of a batch."""

from collections.abc import Callable

import torch
from jaxtyping import Shaped
from torch import Tensor


def by_row(
    network: Callable[..., Tensor], *inputs: Shaped[Tensor, "b ..."]
) -> Shaped[Tensor, "b ..."]:
    """The network's output for a batch, without gradients.

    On a CPU every batch row goes by itself: the rounding of a convolution depends on how many rows
    there are, so a code near a tie, or the last digits of a score, would depend on the batch.
    (torch 2.14 has one input of up to 20,480 numbers convolved by its own code and a batch by
    oneDNN, and 1x1 convolutions on one thread below 16 rows.) It costs an eighth more time there,
    measured on the `mini` pack. An accelerator takes the batch whole.
    """
    with torch.no_grad():
        if inputs[0].device.type != "cpu":
            return network(*inputs)
        rows = range(len(inputs[0]))
        return torch.cat([network(*(tensor[i : i + 1] for tensor in inputs)) for i in rows])
