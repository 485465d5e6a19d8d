"""V2L's tokenizer network: local words for cells, global words for the image, and a decoder.

The paper is Zhu et al., CVPR 2024, https://arxiv.org/abs/2403.07874. It builds on VQ-GAN (Esser et
al., CVPR 2021, https://arxiv.org/abs/2012.09841), which is cited where its equations are used.
"""

from dataclasses import dataclass, field
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from frostbench.plugins.backbones.devices import exact
from frostbench.plugins.parts.autoencoder.decoder import Decoder
from frostbench.plugins.parts.autoencoder.encoder import Encoder
from frostbench.plugins.parts.autoencoder.quantizer import (
    check_ids,
    codebook_loss,
    nearest,
    straight_through,
)
from frostbench.plugins.parts.autoencoder.reconstruction import AutoencoderOutput
from frostbench.plugins.parts.autoencoder.settings import ContextSettings, NetworkSettings
from frostbench.plugins.parts.training.processes import normal_like


def published_network() -> NetworkSettings:
    """The sizes of the published `v2l` configuration: cells of 8x8, attention in the middle only.

    The configuration asks for attention at 16, counted from 256; with three halvings no level
    has that size.
    """
    return NetworkSettings(multipliers=(1, 2, 2, 4))


@dataclass(frozen=True)
class V2LSettings:
    """Sizes and choices; the defaults are those of the published code with LLaMA-2 and ViT-L/14.

    `embed_width` is the width of CLIP's text features. `normalise_features` puts the encoder's
    features on the unit sphere, while the projected words keep their lengths.
    `cross_attention_residual` is our extension for small packs (see `ContextSettings`).
    """

    network: NetworkSettings = field(default_factory=published_network)
    local_words: int = 32_000
    global_words: int = 11_908
    embed_width: int = 768
    global_tokens: int = 21  # K in the paper
    projection: bool = True
    normalise_features: bool = True
    beta: float = 0.33  # weight of the rows' term, as the published code has it
    legacy_beta: bool = True
    cross_attention_heads: int = 8
    cross_attention_residual: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.global_tokens <= self.global_words:
            raise ValueError(
                f"{self.global_tokens} global tokens cannot be drawn from a global vocabulary of "
                f"{self.global_words} entries."
            )


class V2LTokenizer(nn.Module):
    """The paper's tokenizer without its frozen CLIP tower, which is a backbone outside of it.

    Both tables of text embeddings are frozen; the local one is seen through a trained projection.
    Parameters are named as in the published checkpoints.
    """

    def __init__(self, settings: V2LSettings) -> None:
        super().__init__()
        self.settings = settings
        z, width = settings.network.z_channels, settings.embed_width
        self.encoder = Encoder(settings.network)
        self.decoder = Decoder(
            settings.network,
            ContextSettings(
                width, settings.cross_attention_heads, settings.cross_attention_residual
            ),
        )
        self.quant_conv = nn.Conv2d(z, width, 1)
        self.post_quant_conv = nn.Conv2d(width, z, 1)
        self.tok_embeddings = nn.Embedding(settings.local_words, width).requires_grad_(False)
        self.tok_embeddings_global = nn.Embedding(settings.global_words, width).requires_grad_(
            False
        )
        if settings.projection:
            self.codebook_projection = nn.Linear(width, width)
            nn.init.normal_(self.codebook_projection.weight, std=width**-0.5)

    def set_tables(
        self, local: Float[Tensor, "words d"], global_: Float[Tensor, "entries d"]
    ) -> None:
        """Take the text embeddings of both vocabularies.

        Raises:
            ValueError: a table has another shape than the settings say.
        """
        for name, table, module in (
            ("local", local, self.tok_embeddings),
            ("global", global_, self.tok_embeddings_global),
        ):
            if table.shape != module.weight.shape:
                raise ValueError(
                    f"the {name} codebook is {tuple(table.shape)}, and the tokenizer was built "
                    f"for {tuple(module.weight.shape)}."
                )
            module.weight.data.copy_(table)

    def codebook(self) -> Float[Tensor, "words d"]:
        """The local words as the quantizer sees them: projected, lengths kept; in float32."""
        with torch.autocast(self.tok_embeddings.weight.device.type, enabled=False):
            if self.settings.projection:
                return cast(Tensor, self.codebook_projection(self.tok_embeddings.weight))
            return self.tok_embeddings.weight

    def features(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d gh gw"]:
        """The encoder's features before the look-up, in float32; images in [-1, 1]."""
        features = cast(Tensor, self.quant_conv(self.encoder(images))).float()
        return functional.normalize(features) if self.settings.normalise_features else features

    def encode_local(
        self, images: Float[Tensor, "b 3 h w"], rows: Int[Tensor, " some"] | None = None
    ) -> Int[Tensor, "b gh gw"]:
        """The local word of each cell, as an id of the LLM's vocabulary; images in [-1, 1].

        Of words with equal embeddings the lowest id is chosen. With `rows`, only those words are
        candidates, and the result counts among them.
        """
        codebook = self.codebook() if rows is None else self.codebook()[rows]
        return nearest(self.features(images).movedim(1, -1), codebook)

    def nearest_global(
        self, clip_features: Float[Tensor, "b d"], k: int | None = None
    ) -> Int[Tensor, "b k"]:
        """The `k` global words nearest to CLIP's image features, the nearest first.

        Features are normalised, the words' embeddings are not; distances are squared Euclidean,
        so the embeddings' lengths count. Of two equally near, the lower id comes first. `k` is
        `global_tokens` unless given.
        """
        count = self.settings.global_tokens if k is None else k
        if not 0 < count <= self.settings.global_words:
            raise ValueError(
                f"{count} global words were asked for; the vocabulary has "
                f"{self.settings.global_words}."
            )
        # Many entries have equal embeddings. A product in double precision, rounded to single,
        # gives them equal distances, so that a stable sort can keep their order.
        unit = functional.normalize(exact(clip_features.detach()))
        table = exact(self.tok_embeddings_global.weight)
        with torch.autocast(unit.device.type, enabled=False):
            distances = torch.addmm(table.square().sum(1), unit, table.T, alpha=-2).float()
        found = distances.sort(dim=1, stable=True).indices[:, :count]
        return found.to(clip_features.device)

    def decode(
        self, local_ids: Int[Tensor, "b gh gw"], global_ids: Int[Tensor, "b k"]
    ) -> Float[Tensor, "b 3 h w"]:
        """Images from local and global words, about [-1, 1] and not clamped.

        Raises:
            ValueError: an id is no word of its vocabulary.
        """
        return self.render(self.looked_up(local_ids), global_ids)

    def looked_up(self, local_ids: Int[Tensor, "b gh gw"]) -> Float[Tensor, "b d gh gw"]:
        """The projected embeddings of local words, which `render` reads.

        Raises:
            ValueError: an id is no word of the vocabulary.
        """
        check_ids(local_ids, self.settings.local_words, "local word")
        return functional.embedding(local_ids, self.codebook()).movedim(-1, 1)

    def render(
        self, quantized: Float[Tensor, "b d gh gw"], global_ids: Int[Tensor, "b k"]
    ) -> Float[Tensor, "b 3 h w"]:
        """Images from features (quantized or not) and global words."""
        check_ids(global_ids, self.settings.global_words, "global word")
        context = self.tok_embeddings_global(global_ids)
        return cast(Tensor, self.decoder(self.post_quant_conv(quantized), context))

    def forward(
        self,
        images: Float[Tensor, "b 3 h w"],
        global_ids: Int[Tensor, "b k"],
        noise: float | None = None,
    ) -> AutoencoderOutput:
        """Reconstruct images in [-1, 1] for training.

        Global words get no loss and no gradient. With `noise` the features are not quantized, but
        get noise of that deviation, as for VQ-GAN; the codebook's loss is then their mean square, a
        constant where features are normalised.
        """
        features = self.features(images)
        if noise is not None:
            blurred = features + noise * normal_like(features)
            image = self.render(blurred, global_ids)
            return AutoencoderOutput(image, features.square().mean(), None)
        # VQ-GAN, equation (2), over the projected words; then equations (4) and (3).
        codebook = self.codebook()
        ids = nearest(features.movedim(1, -1), codebook)
        rows = functional.embedding(ids, codebook).movedim(-1, 1)
        loss = codebook_loss(features, rows, self.settings.beta, self.settings.legacy_beta)
        image = self.render(straight_through(features, rows), global_ids)
        return AutoencoderOutput(image, loss, ids)
