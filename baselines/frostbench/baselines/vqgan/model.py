"""VQ-GAN's autoencoder: encoder, learned codebook, decoder.

Esser, Rombach, Ommer, "Taming Transformers for High-Resolution Image Synthesis", CVPR 2021,
https://arxiv.org/abs/2012.09841. Equations and sections are the paper's.
"""

from dataclasses import dataclass, field
from typing import cast

from jaxtyping import Float, Int
from torch import Tensor, nn

from frostbench.baselines.vqgan.gumbel import GumbelQuantizer
from frostbench.plugins.parts.autoencoder.decoder import Decoder
from frostbench.plugins.parts.autoencoder.encoder import Encoder
from frostbench.plugins.parts.autoencoder.quantizer import (
    Quantizer,
    codebook_loss,
    straight_through,
)
from frostbench.plugins.parts.autoencoder.reconstruction import AutoencoderOutput
from frostbench.plugins.parts.autoencoder.settings import NetworkSettings
from frostbench.plugins.parts.training.processes import normal_like


@dataclass(frozen=True)
class VQGANSettings:
    """Sizes and codebook; the defaults are those of the published f16 model with 1024 codes.

    `beta` and `legacy_beta` are explained at `codebook_loss`; a codebook trained with
    Gumbel-softmax (`gumbel`), as the published f8's, has neither and is not trained here.
    """

    network: NetworkSettings = field(default_factory=NetworkSettings)
    codes: int = 1024
    embed_width: int = 256
    beta: float = 0.25
    legacy_beta: bool = True
    gumbel: bool = False


F16_1024 = VQGANSettings()
F16_16384 = VQGANSettings(codes=16384)


class VQGAN(nn.Module):
    """Stage 1 (section 3.1); parameters are named as in the published checkpoints."""

    def __init__(self, settings: VQGANSettings) -> None:
        super().__init__()
        self.settings = settings
        z, width = settings.network.z_channels, settings.embed_width
        self.encoder = Encoder(settings.network)
        self.decoder = Decoder(settings.network)
        self.quantize: Quantizer | GumbelQuantizer = (
            GumbelQuantizer(settings.codes, width, width)
            if settings.gumbel
            else Quantizer(settings.codes, width)
        )
        self.quant_conv = nn.Conv2d(z, width, 1)
        self.post_quant_conv = nn.Conv2d(width, z, 1)

    @property
    def codebook(self) -> Float[Tensor, "codes d"]:
        """The rows that codes stand for."""
        if isinstance(self.quantize, GumbelQuantizer):
            return self.quantize.embed.weight
        return self.quantize.embedding.weight

    def features(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d gh gw"]:
        """The encoder's features before quantization; images in [-1, 1]."""
        return cast(Tensor, self.quant_conv(self.encoder(images)))

    def encode(self, images: Float[Tensor, "b 3 h w"]) -> Int[Tensor, "b gh gw"]:
        """The code of each cell, equation (2); images in [-1, 1], sizes a multiple of a cell's."""
        return cast(Tensor, self.quantize(self.features(images)))

    def several(
        self, images: Float[Tensor, "b 3 h w"], count: int
    ) -> Int[Tensor, "b gh gw {count}"]:
        """The `count` best codes of each cell, the best first; see `encode`."""
        return self.quantize.several(self.features(images), count)

    def decode(self, ids: Int[Tensor, "b gh gw"]) -> Float[Tensor, "b 3 h w"]:
        """Images from codes, about [-1, 1] and not clamped.

        Raises:
            ValueError: an id is no code.
        """
        return self.render(self.quantize.rows(ids))

    def render(self, quantized: Float[Tensor, "b d gh gw"]) -> Float[Tensor, "b 3 h w"]:
        """Images from features, quantized or not."""
        return cast(Tensor, self.decoder(self.post_quant_conv(quantized)))

    def forward(
        self, images: Float[Tensor, "b 3 h w"], noise: float | None = None
    ) -> AutoencoderOutput:
        """Reconstruct images in [-1, 1] for training, equation (3), with the codebook's loss.

        With `noise` there is no codebook: noise of that deviation is added to the features, and
        their mean square takes the place of the codebook's loss. Short trainings start in this way
        (the published ones do not): features that matter more to the image then grow further above
        the noise, so that distances reflect how much they matter.
        """
        features = self.features(images)
        if noise is not None:
            power = features.float().square().mean()
            blurred = features + noise * normal_like(features)
            return AutoencoderOutput(self.render(blurred), power, None)
        if self.settings.gumbel:
            raise NotImplementedError("a VQ-GAN with Gumbel-softmax is read, and not trained.")
        ids = self.quantize(features)
        rows = self.quantize.rows(ids)
        loss = codebook_loss(features.float(), rows, self.settings.beta, self.settings.legacy_beta)
        return AutoencoderOutput(self.render(straight_through(features, rows)), loss, ids)
