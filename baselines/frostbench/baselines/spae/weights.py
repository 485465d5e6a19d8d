"""Trained weights of SPAE in a pack's folder."""

from pathlib import Path

from frostbench.baselines.spae.model import SPAE, SPAESettings
from frostbench.plugins.parts.training import folder as stored


def load(folder: Path) -> SPAE:
    """The trained tokenizer, in evaluation mode.

    Raises:
        ValueError: a file is missing or damaged, or the two do not fit.
    """
    return stored.load(SPAE, SPAESettings(), folder)
