"""The mask refiner's text input: the language model's states, averaged over its layers."""

import torch
from jaxtyping import Float
from torch import Tensor


def mixed(
    hidden: Float[Tensor, "layers tokens d"], weights: Float[Tensor, " layers"]
) -> Float[Tensor, "tokens d"]:
    """The mean of the layers' states, weighted by the softmax of trained weights.

    Layers count from the first block's output; the last output is normalised as for the model's
    head.
    """
    return torch.einsum("lkd,l->kd", hidden, weights.softmax(0))
