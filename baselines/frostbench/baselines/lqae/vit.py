"""LQAE's two transformers: from images to a grid of features, and back.

Their blocks are those of the published code: a layer norm after attention too (as in NormFormer), a
gated feed-forward layer with a convolution over the grid, no biases in linear layers, and no layer
norm at the end.
"""

from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

EPSILON = 1e-5  # of layer norms


@dataclass(frozen=True)
class ViTSettings:
    """Sizes of both networks; the defaults are the published "base" ones.

    Attributes:
        image_size: Side of an image, in pixels.
        patch: Side of a cell, in pixels.
        width: Length of a feature; the masked language model's.
        layers: Blocks of each network.
        heads: Heads of attention.
        inner: Width of the feed-forward layers.
        spread: Standard deviation of initial weights. Published is 0.02; narrow networks pass on
            more signal with about the inverse root of their width.
        branch_gain: Initial factor on what each block adds. Published is 1, which makes features
            many times longer than the embeddings that they should match.

    Raises:
        ValueError: images are no whole number of cells, or the width cannot be shared out.
    """

    image_size: int = 256
    patch: int = 16
    width: int = 768
    layers: int = 12
    heads: int = 12
    inner: int = 3072
    spread: float = 0.02
    branch_gain: float = 1.0

    def __post_init__(self) -> None:
        if self.image_size % self.patch:
            raise ValueError(
                f"image_size is {self.image_size}, and cells have a side of {self.patch} pixels; "
                "choose a multiple of that."
            )
        if self.width % self.heads:
            raise ValueError(f"a width of {self.width} cannot be shared by {self.heads} heads.")

    @property
    def side(self) -> int:
        """Cells in a row, and rows."""
        return self.image_size // self.patch


class Attention(nn.Module):
    """Every cell attends to every other."""

    def __init__(self, settings: ViTSettings) -> None:
        super().__init__()
        width = settings.width
        self.heads = settings.heads
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x: Float[Tensor, "b gh gw d"]) -> Float[Tensor, "b gh gw d"]:
        """Mix the cells of each image."""
        cells = x.flatten(1, 2)
        query, key, value = (
            layer(cells).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        # On a CPU, attention in bfloat16 takes several times as long as in single precision.
        with torch.autocast(x.device.type, enabled=False):
            mixed = functional.scaled_dot_product_attention(
                query.float(), key.float(), value.float()
            )
        return cast(Tensor, self.out(mixed.transpose(1, 2).flatten(2))).view(x.shape)


class GatedFeedForward(nn.Module):
    """A gated layer whose hidden features also see the cells around them."""

    def __init__(self, settings: ViTSettings) -> None:
        super().__init__()
        width, inner = settings.width, settings.inner
        self.norm = nn.LayerNorm(width, EPSILON)
        self.gate = nn.Linear(width, inner, bias=False)
        self.up = nn.Linear(width, inner, bias=False)
        self.around = nn.Conv2d(inner, inner, 3, padding=1, groups=inner, bias=False)
        self.inner_norm = nn.LayerNorm(inner, EPSILON)
        self.down = nn.Linear(inner, width, bias=False)

    def forward(self, x: Float[Tensor, "b gh gw d"]) -> Float[Tensor, "b gh gw d"]:
        """The layer's output, without what it is added to."""
        x = self.norm(x)
        gated = functional.gelu(self.gate(x), approximate="tanh") * self.up(x)
        around = self.around(gated.movedim(-1, 1)).movedim(1, -1)
        return cast(Tensor, self.down(self.inner_norm(around)))


class TransformerBlock(nn.Module):
    """Attention between two layer norms, and the gated feed-forward layer, each added."""

    def __init__(self, settings: ViTSettings) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(settings.width, EPSILON)
        self.attention = Attention(settings)
        self.norm_after = nn.LayerNorm(settings.width, EPSILON)
        self.feed_forward = GatedFeedForward(settings)

    def forward(self, x: Float[Tensor, "b gh gw d"]) -> Float[Tensor, "b gh gw d"]:
        """The block's output, its input included."""
        x = x + self.norm_after(self.attention(self.norm(x)))
        return x + cast(Tensor, self.feed_forward(x))


class ViTEncoder(nn.Module):
    """From images to features."""

    def __init__(self, settings: ViTSettings) -> None:
        super().__init__()
        width, patch = settings.width, settings.patch
        self.patches = nn.Conv2d(3, width, patch, patch, bias=False)
        self.positions = nn.Parameter(torch.empty(settings.side, settings.side, width))
        self.blocks = nn.Sequential(*(TransformerBlock(settings) for _ in range(settings.layers)))
        _start(self, settings)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b gh gw d"]:
        """Features of images in [0, 1]."""
        cells = self.patches(images).movedim(1, -1)
        return cast(Tensor, self.blocks(cells + self.positions))


class ViTDecoder(nn.Module):
    """From the language model's output to images."""

    def __init__(self, settings: ViTSettings) -> None:
        super().__init__()
        width, patch = settings.width, settings.patch
        self.positions = nn.Parameter(torch.empty(settings.side, settings.side, width))
        self.blocks = nn.Sequential(*(TransformerBlock(settings) for _ in range(settings.layers)))
        self.pixels = nn.ConvTranspose2d(width, 3, patch, patch)
        _start(self, settings)

    def forward(self, features: Float[Tensor, "b gh gw d"]) -> Float[Tensor, "b 3 h w"]:
        """Images, about [0, 1] and not clamped."""
        cells = self.blocks(features + self.positions)
        return cast(Tensor, self.pixels(cells.movedim(-1, 1)))


@torch.no_grad()
def _start(network: nn.Module, settings: ViTSettings) -> None:
    """Weights and position tables from a normal distribution, biases zero."""
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, 0, settings.spread)
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)
    for block in network.modules():
        if isinstance(block, TransformerBlock):
            block.norm_after.weight.mul_(settings.branch_gain)
            block.feed_forward.down.weight.mul_(settings.branch_gain)
