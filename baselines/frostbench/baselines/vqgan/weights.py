"""Trained weights of VQ-GAN in a pack's folder."""

from pathlib import Path

from frostbench.baselines.vqgan.model import VQGAN, VQGANSettings
from frostbench.plugins.parts.training import folder as stored


def load(folder: Path) -> VQGAN:
    """The trained model, in evaluation mode.

    Raises:
        ValueError: a file is missing or damaged, or the two do not fit.
    """
    return stored.load(VQGAN, VQGANSettings(), folder)
