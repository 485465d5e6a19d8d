"""The convolutional encoder: from images to a grid of features."""

from typing import cast

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from frostbench.plugins.parts.autoencoder.blocks import Downsample, Level, Middle, norm
from frostbench.plugins.parts.autoencoder.settings import NetworkSettings


class Encoder(nn.Module):
    """A pyramid of residual blocks, each level half as large as the one before.

    VQ-GAN, section 3.1: the encoder E.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        widths, groups = settings.widths, settings.norm_groups
        self.factor = settings.factor
        self.conv_in = nn.Conv2d(settings.image_channels, settings.channels, 3, padding=1)
        self.down = nn.ModuleList()
        inputs = settings.channels
        for i, width in enumerate(widths):
            level = Level(
                inputs,
                width,
                settings.residual_blocks,
                settings.attends(i),
                groups,
                settings.dropout,
            )
            if i < len(widths) - 1:
                level.downsample = Downsample(width)
            self.down.append(level)
            inputs = width
        self.mid = Middle(inputs, groups, settings.dropout)
        self.norm_out = norm(inputs, groups)
        self.conv_out = nn.Conv2d(inputs, settings.z_channels, 3, padding=1)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b z gh gw"]:
        """One feature vector for each cell of `factor` x `factor` pixels; images in [-1, 1].

        Raises:
            ValueError: height or width is no multiple of `factor`.
        """
        height, width = images.shape[-2:]
        if height % self.factor or width % self.factor:
            raise ValueError(
                f"an image of {height}x{width} pixels does not divide into cells of "
                f"{self.factor}x{self.factor}; resize or crop it to multiples of {self.factor}."
            )
        x = self.conv_in(images)
        for level in self.down:
            x = level(x)
        return cast(Tensor, self.conv_out(functional.silu(self.norm_out(self.mid(x)))))
