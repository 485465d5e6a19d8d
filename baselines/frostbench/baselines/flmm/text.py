"""The mask refiner's text input: the language model's states, averaged over its layers."""

import torch
from jaxtyping import Float
from torch import Tensor


def mixed(
    hidden: Float[Tensor, "layers tokens d"], weights: Float[Tensor, " layers"]
) -> Float[Tensor, "tokens d"]:
    """The mean of the layers' states, weighted by the softmax of trained weights.

    Layers count from the first block's output; the last one's is normalised as the model's head
    reads it.
    """
    return torch.einsum("lkd,l->kd", hidden, weights.softmax(0))
