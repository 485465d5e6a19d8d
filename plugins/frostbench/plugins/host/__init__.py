"""Finding plugins, packs and settings."""

from frostbench.plugins.moved import forward


def __getattr__(name: str) -> object:
    """Forward names from when this package was a module."""
    return forward(__name__, name)
