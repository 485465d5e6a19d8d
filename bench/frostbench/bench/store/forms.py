"""The types that stored predictions and targets are read back as."""

from dataclasses import dataclass
from typing import Any, TypeAlias

Corners: TypeAlias = tuple[float, float, float, float]
"""Left, top, right and bottom edge of a box."""


@dataclass(frozen=True)
class StoredBoxes:
    """A prediction of boxes."""

    boxes: tuple[Corners, ...]
    classes: tuple[str, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True)
class StoredInstances:
    """A prediction of instances; masks are run-length encodings."""

    masks: list[Any]
    classes: tuple[str, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True)
class StoredThing:
    """A thing of `StoredThings`; its mask is a run-length encoding, or None."""

    name: str
    box: Corners
    area: float
    mask: Any
    crowd: bool


@dataclass(frozen=True)
class StoredThings:
    """A target of things."""

    things: tuple[StoredThing, ...]
    unasked: tuple[StoredThing, ...]


@dataclass(frozen=True)
class StoredMasks:
    """A target of masks, which are run-length encodings."""

    masks: list[Any]
    kinds: tuple[tuple[str, ...], ...]
