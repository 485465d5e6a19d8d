"""Trained heads of F-LMM in a pack's folder."""

from pathlib import Path
from typing import Any

from frostbench.baselines.flmm.checkpoint import fill
from frostbench.baselines.flmm.model import Heads, HeadSettings
from frostbench.plugins.backbones import precision
from frostbench.plugins.parts.training import folder as stored


def save(folder: Path, heads: Heads) -> None:
    """Write both files, large tensors with a byte a number."""
    stored.save(folder, heads.settings, heads.state_dict(), "byte")


def load(folder: Path, sam: Any) -> Heads:
    """The heads of a pack's folder around its SAM, in evaluation mode.

    Raises:
        ValueError: a file is missing or damaged, or the heads were trained around another SAM.
    """
    heads = Heads(stored.stored_settings(folder, HeadSettings()), sam)
    path = folder / stored.WEIGHTS
    fill(heads, precision.read(path), str(path))
    return heads.eval()
