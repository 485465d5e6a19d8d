"""The trackers, and their settings."""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

TRACKERS = {
    "trackio": "wandb_like:Trackio",
    "wandb": "wandb_like:Wandb",
    "mlflow": "to_mlflow:Mlflow",
}
"""Trackers by the name of their package, which is also the name of the extra that installs it."""


@dataclass(frozen=True)
class TrackerSettings:
    """The settings of a tracker.

    `name` is the run's name there; the default is its folder's, with a few digits of its seal. `to`
    is where results are sent: a Space or a server for trackio, "online" for wandb, a tracking URI
    for MLflow; without it nothing leaves this machine. `images` is the number of samples of each
    task and protocol whose images are passed on.
    """

    project: str = "frostbench"
    name: str = ""
    to: str = ""
    images: int = 8

    def __post_init__(self) -> None:
        if self.images < 0:
            raise ValueError(f"images are at least 0, not {self.images}.")


@dataclass(frozen=True)
class About:
    """A run as it is announced: `id` is the same whenever it is resumed."""

    id: str
    name: str
    config: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class Sink(Protocol):
    """Where curves and tables go."""

    def begin(self, about: About) -> None:
        """Open the run there, or resume it."""
        ...

    def points(self, values: Mapping[str, float], step: int) -> None:
        """One point of several curves."""
        ...

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """A table of texts, numbers, `PIL` images and None."""
        ...

    def end(self, *, complete: bool) -> None:
        """Everything was passed on; `complete` tells whether the run is."""
        ...


def open_sink(name: str, settings: TrackerSettings) -> Sink:
    """The tracker of a name, whose package is imported now."""
    module, _, attribute = TRACKERS[name].partition(":")
    found = importlib.import_module(f"{__package__}.{module}")
    sink: Sink = getattr(found, attribute)(settings)
    return sink
