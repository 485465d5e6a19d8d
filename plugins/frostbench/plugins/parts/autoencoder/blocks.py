"""Building blocks of the convolutional encoder and decoder."""

from typing import cast

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

EPSILON = 1e-6  # of every normalisation in the published networks


def norm(width: int, groups: int) -> nn.GroupNorm:
    """Group normalisation with learned scale and shift."""
    return nn.GroupNorm(groups, width, eps=EPSILON)


class ResidualBlock(nn.Module):
    """Twice normalise, activate, convolve 3x3; added to the input, through 1x1 if widths differ."""

    def __init__(self, inputs: int, outputs: int, groups: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = norm(inputs, groups)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2 = norm(outputs, groups)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        if inputs != outputs:
            self.nin_shortcut = nn.Conv2d(inputs, outputs, 1)
        self.widens = inputs != outputs

    def forward(self, x: Float[Tensor, "b _i h w"]) -> Float[Tensor, "b _o h w"]:
        """Features of the same size, with the block's own number of channels."""
        inner = self.conv1(functional.silu(self.norm1(x)))
        inner = self.conv2(self.dropout(functional.silu(self.norm2(inner))))
        return cast(Tensor, (self.nin_shortcut(x) if self.widens else x) + inner)


class SelfAttention(nn.Module):
    """Every position reads every position, with one head; added to the input."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.norm = norm(width, groups)
        self.q = nn.Conv2d(width, width, 1)
        self.k = nn.Conv2d(width, width, 1)
        self.v = nn.Conv2d(width, width, 1)
        self.proj_out = nn.Conv2d(width, width, 1)

    def forward(self, x: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d h w"]:
        """Features of the same shape."""
        normed = self.norm(x)
        query, key, value = (
            part(normed).flatten(2).transpose(1, 2) for part in (self.q, self.k, self.v)
        )
        read = functional.scaled_dot_product_attention(query, key, value)
        return x + cast(Tensor, self.proj_out(read.transpose(1, 2).reshape(x.shape)))


class CrossAttention(nn.Module):
    """Every position reads a short context; each head is as wide as the features.

    The decoder of V2L-Tokenizer (Zhu et al., CVPR 2024) reads global tokens in this way; sizes and
    names are those of its published code.
    """

    def __init__(self, width: int, context: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        inner = heads * width
        self.to_q = nn.Linear(width, inner, bias=False)
        self.to_k = nn.Linear(context, inner, bias=False)
        self.to_v = nn.Linear(context, inner, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner, width))

    def forward(
        self, x: Float[Tensor, "b d h w"], context: Float[Tensor, "b k c"]
    ) -> Float[Tensor, "b d h w"]:
        """What each position reads from the context, without the position's own features."""
        query = self._split(self.to_q(x.flatten(2).transpose(1, 2)))
        key, value = self._split(self.to_k(context)), self._split(self.to_v(context))
        read = functional.scaled_dot_product_attention(query, key, value)
        joined = self.to_out(read.transpose(1, 2).flatten(2))
        return cast(Tensor, joined.transpose(1, 2).reshape(x.shape))

    def _split(self, x: Float[Tensor, "b n _i"]) -> Float[Tensor, "b heads n _d"]:
        batch, positions, _ = x.shape
        return x.reshape(batch, positions, self.heads, -1).transpose(1, 2)


class Downsample(nn.Module):
    """Halve the size: a 3x3 convolution of stride 2 over an image padded right and below."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, stride=2)

    def forward(self, x: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d _h _w"]:
        """Features of half the size."""
        return cast(Tensor, self.conv(functional.pad(x, (0, 1, 0, 1))))


class Upsample(nn.Module):
    """Double the size: every value four times, then a 3x3 convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d _h _w"]:
        """Features of twice the size."""
        return cast(Tensor, self.conv(functional.interpolate(x, scale_factor=2.0)))


class Level(nn.Module):
    """Residual blocks of one size, each followed by attention where the level has it.

    `downsample` and `upsample` follow the blocks; at most one of them does anything.
    """

    def __init__(
        self, inputs: int, outputs: int, blocks: int, attends: bool, groups: int, dropout: float
    ) -> None:
        super().__init__()
        self.block = nn.ModuleList(
            ResidualBlock(inputs if i == 0 else outputs, outputs, groups, dropout)
            for i in range(blocks)
        )
        self.attn = nn.ModuleList(
            SelfAttention(outputs, groups) for _ in range(blocks if attends else 0)
        )
        self.downsample: nn.Module = nn.Identity()
        self.upsample: nn.Module = nn.Identity()

    def forward(self, x: Float[Tensor, "b _i h w"]) -> Float[Tensor, "b _o _h _w"]:
        """Features of the next level's size."""
        for i, block in enumerate(self.block):
            x = block(x)
            if self.attn:
                x = self.attn[i](x)
        return cast(Tensor, self.upsample(self.downsample(x)))


class Middle(nn.Module):
    """A residual block, attention, a residual block, at the size of the grid.

    With a context, every position then reads it between attention and the second block.
    """

    def __init__(
        self,
        width: int,
        groups: int,
        dropout: float,
        cross: CrossAttention | None = None,
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.block_1 = ResidualBlock(width, width, groups, dropout)
        self.attn_1 = SelfAttention(width, groups)
        if cross is not None:
            self.cross_attn_1 = cross
        self.block_2 = ResidualBlock(width, width, groups, dropout)
        self.residual = residual

    def forward(
        self, x: Float[Tensor, "b d h w"], context: Float[Tensor, "b k c"] | None = None
    ) -> Float[Tensor, "b d h w"]:
        """Features of the same shape; `context` is needed where the middle reads one."""
        x = self.attn_1(self.block_1(x))
        if context is not None:
            read = self.cross_attn_1(x, context)
            x = x + read if self.residual else read
        return cast(Tensor, self.block_2(x))
