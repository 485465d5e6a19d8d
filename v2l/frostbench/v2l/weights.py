"""Trained weights of V2L-Tokenizer in a pack's folder."""

from pathlib import Path

from frostbench.plugins.parts.training import folder as stored
from frostbench.v2l.model import V2LSettings, V2LTokenizer


def load(folder: Path) -> V2LTokenizer:
    """The trained tokenizer, in evaluation mode.

    Raises:
        ValueError: a file is missing or damaged, or the two do not fit.
    """
    return stored.load(V2LTokenizer, V2LSettings(), folder)
