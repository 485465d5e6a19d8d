"""Finding plugins, packs and settings."""

from frostbench.plugins.moved import forward


def __getattr__(name: str) -> object:
    """Names of before, when this was a module."""
    return forward(__name__, name)
