"""Images, and trainings that take a second."""

import torch

from frostbench.plugins.parts.autoencoder.losses import LossSettings
from frostbench.plugins.parts.autoencoder.settings import DiscriminatorSettings, NetworkSettings
from frostbench.plugins.parts.autoencoder.training import AdversarialTrainingSettings

NETWORK = NetworkSettings(
    channels=4,
    multipliers=(1, 2),
    residual_blocks=1,
    attention_sizes=(),
    nominal_size=16,
    z_channels=4,
    norm_groups=2,
)
TRAINING = AdversarialTrainingSettings(
    steps=8,
    batch=2,
    rate=2e-3,
    loss=LossSettings(perceptual_weight=0.0, adversarial_weight=0.5, adversarial_start=5),
    discriminator=DiscriminatorSettings(layers=1, channels=4),
    noisy_steps=2,
    noise=0.1,
    fit_steps=(2, 4),
    fit_batches=2,
)


class Stripes:
    """Images of two colours in stripes, as a pack's images are asked for."""

    def batch(self, split, count, seed):
        generator = torch.Generator().manual_seed(seed * 2 + (split == "base"))
        colours = torch.rand(count, 2, 3, 1, 1, generator=generator)
        upper = torch.arange(16)[:, None] // torch.randint(2, 9, (1,), generator=generator) % 2
        return colours[:, 0] * upper + colours[:, 1] * (1 - upper).expand(16, 16)


STRIPES = {"images": lambda _: Stripes()}
"""What a workshop offers a recipe to be trained on."""
