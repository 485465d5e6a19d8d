"""The patch discriminator, which tells real image patches from reconstructed ones."""

from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from frostbench.plugins.parts.autoencoder.settings import DiscriminatorSettings
from frostbench.plugins.parts.autoencoder.shared_norm import SharedBatchNorm

WIDEST = 8  # times the first layer's channels
SLOPE = 0.2


class Discriminator(nn.Module):
    """4x4 convolutions, halving the size `layers` times, then twice keeping it.

    Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", CVPR 2017.
    Weights start from N(0, 0.02), the normalisations' scales from N(1, 0.02).
    """

    def __init__(self, settings: DiscriminatorSettings) -> None:
        super().__init__()
        first, layers = settings.channels, settings.layers
        parts: list[nn.Module] = [
            nn.Conv2d(settings.image_channels, first, 4, stride=2, padding=1),
            nn.LeakyReLU(SLOPE),
        ]
        inputs = first
        for i in range(1, layers + 1):
            outputs = first * min(2**i, WIDEST)
            stride = 2 if i < layers else 1
            parts += [
                nn.Conv2d(inputs, outputs, 4, stride=stride, padding=1, bias=False),
                SharedBatchNorm(outputs),
                nn.LeakyReLU(SLOPE),
            ]
            inputs = outputs
        parts.append(nn.Conv2d(inputs, 1, 4, padding=1))
        self.main = nn.Sequential(*parts)
        for part in parts:
            if isinstance(part, nn.Conv2d):
                nn.init.normal_(part.weight, 0.0, 0.02)
            elif isinstance(part, nn.BatchNorm2d):
                nn.init.normal_(part.weight, 1.0, 0.02)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 1 _ph _pw"]:
        """One logit a patch, high where the patch looks real; images in [-1, 1]."""
        return cast(Tensor, self.main(images))
