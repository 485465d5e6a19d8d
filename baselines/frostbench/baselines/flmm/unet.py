"""F-LMM's mask head: a U-Net over maps of attention, one channel a layer and head.

The architecture and the names of its parameters are those of mmsegmentation's UNet, which the
published checkpoints hold, with a group normalisation of one group.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

TINIEST = 1e-12  # sum below which a map is left unnormalised


@dataclass(frozen=True)
class UNetSettings:
    """Sizes of the mask head; the defaults are the published ones.

    Attributes:
        channels: Maps that come in: layers times heads, times views. 1,024 for LLaVA-1.5-7B.
        widths: Channels of each stage, the finest first; between two the map is halved.
        side: Maps whose longer side is shorter are enlarged to it before the first stage.
        normalise: Divide each map by its sum first, so that only its shape counts.
    """

    channels: int = 1024
    widths: tuple[int, ...] = (64, 128, 256, 512)
    side: int = 64
    normalise: bool = True

    def __post_init__(self) -> None:
        if not self.widths or self.channels < 1:
            raise ValueError("a mask head has one channel and one stage at least.")

    @property
    def factor(self) -> int:
        """The coarsest stage's cell, in cells of the finest."""
        return int(2 ** (len(self.widths) - 1))


class Convolution(nn.Module):
    """Convolution without a bias, normalisation over all channels and places, ReLU."""

    def __init__(self, channels: int, out: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel, padding=kernel // 2, bias=False)
        self.gn = nn.GroupNorm(1, out)

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h w"]:
        """Maps of the same size."""
        return functional.relu(self.gn(self.conv(maps)))


class ConvBlock(nn.Module):
    """Two convolutions of 3x3."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.convs = nn.Sequential(Convolution(channels, out, 3), Convolution(out, out, 3))

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h w"]:
        """Maps of the same size."""
        read: Tensor = self.convs(maps)
        return read


class Upsampling(nn.Module):
    """Twice the size, with as many channels as the stage that it joins."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        twice = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.interp_upsample = nn.Sequential(twice, Convolution(channels, out, 1))

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Maps of twice the height and width."""
        enlarged: Tensor = self.interp_upsample(maps)
        return enlarged


class Joining(nn.Module):
    """A step upwards: the coarser stage, enlarged, beside what the encoder saw at this size."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv_block = ConvBlock(2 * out, out)
        self.upsample = Upsampling(channels, out)

    def forward(
        self, seen: Float[Tensor, "n c h w"], coarse: Float[Tensor, "n c2 h2 w2"]
    ) -> Float[Tensor, "n c h w"]:
        """Maps of the finer size."""
        joined: Tensor = self.conv_block(torch.cat([seen, self.upsample(coarse)], 1))
        return joined


class UNet(nn.Module):
    """Maps of attention become logits of a mask."""

    def __init__(self, settings: UNetSettings) -> None:
        super().__init__()
        self.settings = settings
        widths = settings.widths
        stages = [nn.Sequential(ConvBlock(settings.channels, widths[0]))]
        stages += [nn.Sequential(nn.MaxPool2d(2), ConvBlock(a, b)) for a, b in pairwise(widths)]
        self.encoder = nn.ModuleList(stages)
        # The finest step has number 0, as in the published files, and is taken last.
        self.decoder = nn.ModuleList(Joining(b, a) for a, b in pairwise(widths))
        self.conv_seg = nn.Conv2d(widths[0], 1, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(_bias(self.conv_seg))

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n rows columns"]:
        """Logits of a mask for each stack of maps, in as many cells as `mask_size` says."""
        if self.settings.normalise:
            maps = maps / maps.sum((-2, -1), keepdim=True).clamp(min=TINIEST)
        # The scale is given instead of the size, as published, since it sets the sampling
        # positions.
        scale = max(1.0, self.settings.side / max(maps.shape[-2:]))
        if scale > 1:
            maps = functional.interpolate(
                maps, scale_factor=scale, mode="bilinear", align_corners=False
            )
        height, width = maps.shape[-2:]
        factor = self.settings.factor
        maps = functional.pad(maps, (0, -width % factor, 0, -height % factor))
        seen = []
        for stage in self.encoder:
            maps = stage(maps)
            seen.append(maps)
        maps = seen.pop()
        for step in reversed(self.decoder):
            maps = step(seen.pop(), maps)
        return self.conv_seg(maps[..., :height, :width])[:, 0]  # type: ignore[no-any-return]


def mask_size(rows: int, columns: int, side: int) -> tuple[int, int]:
    """Rows and columns of the mask that `UNet` makes of maps of `rows` times `columns` cells.

    >>> mask_size(24, 24, 64), mask_size(72, 36, 64)
    ((64, 64), (72, 36))
    """
    scale = max(1.0, side / max(rows, columns))
    return math.floor(rows * scale), math.floor(columns * scale)


def _bias(convolution: nn.Conv2d) -> Tensor:
    assert convolution.bias is not None
    return convolution.bias
