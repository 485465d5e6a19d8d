"""The engine: runs the prompts of many requests, and of many methods, through frozen backbones."""

from frostbench.plugins.engine.frozen import FrozenEngine
from frostbench.plugins.engine.settings import EngineSettings

__all__ = ["EngineSettings", "FrozenEngine"]
