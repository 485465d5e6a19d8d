"""Backbones: frozen pretrained models, loaded once, shared by all methods, never written to."""

from frostbench.plugins.backbones.entry import BackboneEntry
from frostbench.plugins.backbones.shared import SharedBackbones

__all__ = ["BackboneEntry", "SharedBackbones"]
