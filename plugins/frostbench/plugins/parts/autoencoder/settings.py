"""Sizes of the autoencoder's networks, with checks that they fit together."""

from dataclasses import dataclass


@dataclass(frozen=True)
class NetworkSettings:
    """Encoder and decoder, in the values of the published `imagenet_vqgan` configuration.

    Level i of the networks has `channels * multipliers[i]` channels; between two levels the
    image is halved. Attention stands at the levels whose size would be one of
    `attention_sizes` if the image were `nominal_size` wide, whatever its real size: V2L's
    nominal 256 with three halvings never meets 16, and has attention in the middle alone.
    """

    channels: int = 128
    multipliers: tuple[int, ...] = (1, 1, 2, 2, 4)
    residual_blocks: int = 2
    attention_sizes: tuple[int, ...] = (16,)
    nominal_size: int = 256
    z_channels: int = 256
    image_channels: int = 3
    norm_groups: int = 32
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if not self.multipliers or self.residual_blocks < 1:
            raise ValueError("an autoencoder has one level and one residual block at least.")
        odd = [width for width in self.widths if width % self.norm_groups]
        if odd:
            raise ValueError(
                f"{odd[0]} channels cannot be normalised in {self.norm_groups} groups; choose "
                "norm_groups that divides channels times every multiplier."
            )

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each level, the finest first."""
        return tuple(self.channels * multiplier for multiplier in self.multipliers)

    @property
    def factor(self) -> int:
        """Pixels along one side of a cell of the grid."""
        return int(2 ** (len(self.multipliers) - 1))

    def side(self, image_size: int | None) -> int:
        """The side of the squares that the networks read: the given side, or the nominal one.

        Raises:
            ValueError: it is no whole number of cells.
        """
        side = image_size or self.nominal_size
        if side % self.factor:
            raise ValueError(
                f"image_size is {side}, and the networks read cells of {self.factor} pixels; "
                "choose a multiple of that."
            )
        return side

    def attends(self, level: int) -> bool:
        """Whether the residual blocks of a level are followed by attention."""
        return self.nominal_size // 2**level in self.attention_sizes


@dataclass(frozen=True)
class ContextSettings:
    """The cross-attention in the middle of V2L's decoder.

    `width` is that of the context's vectors. As published, what a position reads from the context
    replaces the position's own features; `residual` adds it to them instead, which is an extension
    of ours for small packs and fits no published checkpoint.
    """

    width: int = 768
    heads: int = 8
    residual: bool = False


SMALL = NetworkSettings(
    channels=16,
    multipliers=(1, 2, 4, 8),
    residual_blocks=1,
    attention_sizes=(),
    nominal_size=64,
    z_channels=64,
    norm_groups=8,
)
"""The networks of the `mini` pack: 64x64 pixels, 8x8 cells."""

TINY = NetworkSettings(
    channels=4,
    multipliers=(1, 1, 2),
    residual_blocks=1,
    attention_sizes=(),
    nominal_size=16,
    z_channels=4,
    norm_groups=2,
)
"""The networks of toys: 16x16 pixels, 4x4 cells."""


@dataclass(frozen=True)
class DiscriminatorSettings:
    """The patch discriminator; `imagenet_vqgan` has 3 layers, V2L and f16-16384 have 2."""

    layers: int = 3
    channels: int = 64
    image_channels: int = 3
