"""The codebook of VQ-GANs that were trained with Gumbel-softmax, such as the published f8.

Jang et al., "Categorical Reparameterization with Gumbel-Softmax", ICLR 2017,
https://arxiv.org/abs/1611.01144; as DALL-E's dVAE uses it. Parameters are named as published.
"""

from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from frostbench.plugins.parts.autoencoder.quantizer import check_ids


class GumbelQuantizer(nn.Module):
    """A code is drawn by its logit; the most likely one stands for a cell.

    The published code adds Gumbel noise to the logits in evaluation too, so that an image gets
    other codes each time; without noise, as here, they are always the same.
    """

    def __init__(self, codes: int, channels: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, codes, 1)
        self.embed = nn.Embedding(codes, width)

    def forward(self, features: Float[Tensor, "b c gh gw"]) -> Int[Tensor, "b gh gw"]:
        """The most likely code of each cell; of several, the lowest."""
        return self._logits(features).argmax(-1)

    def several(
        self, features: Float[Tensor, "b c gh gw"], count: int
    ) -> Int[Tensor, "b gh gw {count}"]:
        """The `count` most likely codes of each cell, the likeliest first.

        Raises:
            ValueError: there are fewer codes.
        """
        logits = self._logits(features)
        if not 0 < count <= logits.shape[-1]:
            raise ValueError(f"{count} likeliest codes of {logits.shape[-1]} were asked for.")
        return torch.sort(logits, dim=-1, descending=True, stable=True).indices[..., :count]

    def _logits(self, features: Float[Tensor, "b c gh gw"]) -> Float[Tensor, "b gh gw codes"]:
        return cast(Tensor, self.proj(features)).movedim(1, -1).float()

    def rows(self, ids: Int[Tensor, "b gh gw"]) -> Float[Tensor, "b d gh gw"]:
        """The rows of the codebook with these ids.

        Raises:
            ValueError: an id is no row of the codebook.
        """
        check_ids(ids, self.embed.num_embeddings, "code")
        return cast(Tensor, self.embed(ids)).movedim(-1, 1)
