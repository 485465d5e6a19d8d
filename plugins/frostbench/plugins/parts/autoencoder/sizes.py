"""The sizes of an autoencoder, read off the tensors of a published checkpoint."""

import re
from collections.abc import Mapping

from torch import Tensor

from frostbench.plugins.parts.autoencoder.settings import NetworkSettings

NOMINAL = 256  # pixels: published configurations place attention relative to it
MOST_GROUPS = 32


def network_of(state: Mapping[str, Tensor]) -> NetworkSettings:
    """The settings of encoder and decoder that a state dict was trained with.

    Shapes do not tell the image's nominal size, which is 256 in every published configuration, nor
    the groups that channels are normalised in, which are 32 unless there are fewer channels.

    Raises:
        KeyError: a tensor is not there, so that it is no such autoencoder.
    """
    channels, image_channels = state["encoder.conv_in.weight"].shape[:2]
    levels = _numbers(state, r"encoder\.down\.(\d+)\.block")
    widths = [len(state[f"encoder.down.{level}.block.0.conv1.weight"]) for level in levels]
    return NetworkSettings(
        channels=channels,
        multipliers=tuple(width // channels for width in widths),
        residual_blocks=len(_numbers(state, r"encoder\.down\.0\.block\.(\d+)\.")),
        attention_sizes=tuple(
            NOMINAL // 2**level for level in _numbers(state, r"encoder\.down\.(\d+)\.attn")
        ),
        nominal_size=NOMINAL,
        z_channels=len(state["encoder.conv_out.weight"]),
        image_channels=image_channels,
        norm_groups=min(MOST_GROUPS, channels),
    )


def _numbers(state: Mapping[str, Tensor], pattern: str) -> list[int]:
    found = (re.match(pattern, name) for name in state)
    return sorted({int(match[1]) for match in found if match})
