"""Trained weights of LQAE in a pack's folder."""

from pathlib import Path

from frostbench.baselines.lqae.model import LQAE, LQAESettings
from frostbench.plugins.parts.training import folder as stored


def load(folder: Path) -> LQAE:
    """The trained model, in evaluation mode.

    Raises:
        ValueError: a file is missing or damaged, or the two do not fit.
    """
    return stored.load(LQAE, LQAESettings(), folder)
