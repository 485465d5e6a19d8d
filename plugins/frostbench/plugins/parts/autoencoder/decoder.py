"""The convolutional decoder: from a grid of features to images."""

from typing import cast

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from frostbench.plugins.parts.autoencoder.blocks import (
    CrossAttention,
    Level,
    Middle,
    Upsample,
    norm,
)
from frostbench.plugins.parts.autoencoder.settings import ContextSettings, NetworkSettings


class Decoder(nn.Module):
    """The encoder's pyramid upside down, with one more residual block on each level.

    VQ-GAN, section 3.1: the decoder G. With `context` settings the middle also reads a context, as
    the decoder of V2L-Tokenizer does.
    """

    def __init__(self, settings: NetworkSettings, context: ContextSettings | None = None) -> None:
        super().__init__()
        widths, groups = settings.widths, settings.norm_groups
        self.reads = context is not None
        inputs = widths[-1]
        self.conv_in = nn.Conv2d(settings.z_channels, inputs, 3, padding=1)
        cross, residual = None, False
        if context is not None:
            cross = CrossAttention(inputs, context.width, context.heads)
            residual = context.residual
        self.mid = Middle(inputs, groups, settings.dropout, cross, residual)
        levels = []
        for i, width in reversed(list(enumerate(widths))):
            level = Level(
                inputs,
                width,
                settings.residual_blocks + 1,
                settings.attends(i),
                groups,
                settings.dropout,
            )
            if i > 0:
                level.upsample = Upsample(width)
            levels.append(level)
            inputs = width
        self.up = nn.ModuleList(reversed(levels))  # checkpoints number levels from the finest
        self.norm_out = norm(inputs, groups)
        self.conv_out = nn.Conv2d(inputs, settings.image_channels, 3, padding=1)

    def forward(
        self, z: Float[Tensor, "b z gh gw"], context: Float[Tensor, "b k d"] | None = None
    ) -> Float[Tensor, "b c h w"]:
        """Images, about [-1, 1] and not clamped; `context` is given if and only if it is read.

        Raises:
            TypeError: a context is missing, or one is given to a decoder that reads none.
        """
        if self.reads != (context is not None):
            raise TypeError(
                "this decoder reads a context, and none was given."
                if self.reads
                else "this decoder reads no context, and one was given."
            )
        x = self.mid(self.conv_in(z), context)
        for level in reversed(self.up):
            x = level(x)
        return cast(Tensor, self.conv_out(functional.silu(self.norm_out(x))))
