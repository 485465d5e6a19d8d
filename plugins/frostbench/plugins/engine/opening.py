"""The engine as the hook `frostbench_engines` offers it."""

from collections.abc import Mapping

from frostbench.plugins.contract.method import Backbones
from frostbench.plugins.engine.frozen import FrozenEngine
from frostbench.plugins.engine.settings import EngineSettings
from frostbench.plugins.host.settings import read_settings


def open_engine(backbones: Backbones, settings: Mapping[str, object]) -> FrozenEngine:
    """The engine over a pack's backbones, with settings by key.

    Raises:
        ValueError: a setting is unknown or wrong.
    """
    return FrozenEngine(backbones, read_settings(EngineSettings, settings, "engine"))
