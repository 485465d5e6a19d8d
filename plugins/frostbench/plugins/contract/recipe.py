"""Recipes: how a part of a pack is trained."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class TrainingImages(Protocol):
    """Training images of a pack, made or read on demand."""

    def batch(self, split: str, count: int, seed: int) -> Any:
        """`count` images of a split ("base", "validation") as `[count, 3, height, width]`.

        Floats in [0, 1]; the same arguments give the same images.
        """
        ...


@runtime_checkable
class Pairs(Protocol):
    """Training pairs of restorations: images of a pack before and after a corruption."""

    def variants(self, corruption: str) -> Sequence[str]:
        """The ways of doing a corruption that a method is told (`Restore.variant`).

        One empty string where there is nothing to tell.

        Raises:
            LookupError: there is no such corruption; the message lists those there are.
        """
        ...

    def batch(
        self, corruption: str, split: str, count: int, seed: int, variant: str = ""
    ) -> tuple[Any, Any]:
        """`count` images of a split, corrupted and clean, each `[count, 3, height, width]`.

        Floats in [0, 1]. Strengths are drawn between the mildest and the most severe; the same
        arguments give the same pairs.
        """
        ...


@dataclass(frozen=True, eq=False)
class GroundedScene:
    """An image of which it is known where every phrase about it is seen.

    `pixels` are `[3, height, width]`, floats in [0, 1]. `phrases` are spans of `narrative`, as
    (start, end) in its characters; `expressions` mean the same things, each by itself. Row i of
    `masks`, `[n, height, width]`, is what the i-th of both refers to.
    """

    pixels: Any
    narrative: str
    phrases: tuple[tuple[int, int], ...]
    expressions: tuple[str, ...]
    masks: Any


@runtime_checkable
class GroundedScenes(Protocol):
    """Training images with phrases and their exact masks."""

    def batch(self, split: str, count: int, seed: int) -> Sequence[GroundedScene]:
        """`count` scenes of a split ("base", "validation"); the same arguments give the same."""
        ...


@dataclass(frozen=True)
class Workshop:
    """Where and how one recipe runs.

    `pack` is the folder of the pack in the making: a recipe reads the parts it needs from
    `pack / <need>` and writes its own to `pack / <name>`. `scratch` keeps checkpoints and caches
    and is never part of a pack. `settings` are overrides of the recipe's own settings, read by
    the recipe through its settings dataclass.
    """

    pack: Path
    scratch: Path
    device: str = "cpu"
    seed: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)
    pictures: TrainingImages | None = None
    pairs: Pairs | None = None
    grounded: GroundedScenes | None = None

    def log(self, line: str) -> None:
        """Print one line at once, for whoever watches a log file."""
        print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


@dataclass(frozen=True)
class Report:
    """What a finished recipe says of itself, for the pack's card.

    `figures` are measured values by name; `history` holds (step, values) pairs of the losses.
    `seconds` counts training alone, summed over resumptions. `notes` are sentences that a reader
    of the figures must know.
    """

    steps: int
    seconds: float
    figures: Mapping[str, float]
    history: tuple[tuple[int, Mapping[str, float]], ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """One trainable part of a pack.

    `target` names the function `(Workshop) -> Report` as "module:function", so that listing
    recipes imports nothing heavy. `makes` are the files, relative to the pack, whose presence says
    that the part is there; without them it is the folder called like the recipe.
    """

    name: str
    needs: tuple[str, ...]
    target: str
    summary: str
    makes: tuple[str, ...] = ()

    def files(self, pack: Path) -> list[Path]:
        """What the recipe leaves in a pack: the made files, or all files of its folder."""
        if self.makes:
            return [pack / made for made in self.makes]
        return sorted(path for path in (pack / self.name).rglob("*") if path.is_file())

    def is_done(self, pack: Path) -> bool:
        """Whether the part is in the pack."""
        files = self.files(pack)
        return bool(files) and all(file.is_file() for file in files)
