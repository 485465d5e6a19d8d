"""A V2L tokenizer that runs in milliseconds."""

from frostbench.plugins.parts.autoencoder.settings import NetworkSettings
from frostbench.v2l.model import V2LSettings

SMALL = V2LSettings(
    network=NetworkSettings(
        channels=4,
        multipliers=(1, 2),
        residual_blocks=1,
        attention_sizes=(),
        nominal_size=16,
        z_channels=3,
        norm_groups=2,
    ),
    local_words=30,
    global_words=12,
    embed_width=5,
    global_tokens=4,
    cross_attention_heads=2,
)
