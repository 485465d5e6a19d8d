"""Recipes: how a part of a pack is trained, in steps that survive being killed.

A method, or whoever offers a backbone, registers a `Recipe` through the hook `frostbench_recipes`;
`frostbench train` orders them by what they need and runs those whose part is missing.
"""

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Pictures(Protocol):
    """Training pictures of a pack, made or read on demand."""

    def batch(self, split: str, count: int, seed: int) -> Any:
        """`count` pictures of a split ("base", "validation") as `[count, 3, height, width]`.

        Floats in [0, 1]; the same arguments give the same pictures.
        """
        ...


@runtime_checkable
class Pairs(Protocol):
    """Training pairs of restorations: pictures of a pack before and after a corruption."""

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
        """`count` pictures of a split, corrupted and clean, each `[count, 3, height, width]`.

        Floats in [0, 1]. Strengths are drawn between the mildest and the most severe; the same
        arguments give the same pairs.
        """
        ...


@dataclass(frozen=True, eq=False)
class GroundedScene:
    """A picture of which it is known where every phrase about it is seen.

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
    """Training pictures with phrases and their exact masks."""

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
    pictures: Pictures | None = None
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


@runtime_checkable
class Stateful(Protocol):
    """Anything with a state to save: modules, optimisers, schedules, sources of batches."""

    def state_dict(self) -> dict[str, Any]:
        """The whole state, as tensors and plain values."""
        ...

    def load_state_dict(self, state: dict[str, Any], /) -> object:
        """Take a state that `state_dict` gave."""
        ...


@dataclass
class Progress:
    """How far a training has come, and what it cost until now."""

    step: int = 0
    seconds: float = 0.0
    history: list[tuple[int, dict[str, float]]] = field(default_factory=list)


def train(
    workshop: Workshop,
    name: str,
    parts: Mapping[str, Stateful],
    step: Callable[[int], Mapping[str, float]],
    steps: int,
    *,
    log_every: int = 50,
    save_every: int = 250,
    stop: Callable[[Progress], bool] | None = None,
) -> Progress:
    """Call `step(i)` for i = 0 .. steps - 1, resuming where an earlier process was killed.

    `step` draws its randomness from `i` and the workshop's seed alone, so that a resumed training
    equals an uninterrupted one; it returns losses by name, of which the mean since the last
    log line is logged. The checkpoint `scratch/<name>.pt` is replaced atomically every
    `save_every` steps. `stop` is asked at each log line and may end the training early.
    """
    import torch

    workshop.scratch.mkdir(parents=True, exist_ok=True)
    path = workshop.scratch / f"{name}.pt"
    progress = Progress()
    if path.exists():
        state = torch.load(path, map_location="cpu", weights_only=True)
        for key, part in parts.items():
            part.load_state_dict(state["parts"][key])
        progress = Progress(state["step"], state["seconds"], state["history"])
        workshop.log(f"{name}: resumed at step {progress.step} of {steps}")

    def save() -> None:
        temporary = path.with_suffix(".new")
        torch.save(
            {
                "parts": {key: part.state_dict() for key, part in parts.items()},
                "step": progress.step,
                "seconds": progress.seconds,
                "history": progress.history,
            },
            temporary,
        )
        os.replace(temporary, path)

    since: list[Mapping[str, float]] = []
    while progress.step < steps:
        begun = time.perf_counter()
        since.append(step(progress.step))
        progress.seconds += time.perf_counter() - begun
        progress.step += 1
        if progress.step % log_every == 0 or progress.step == steps:
            means = _means(since)
            since = []
            progress.history.append((progress.step, means))
            left = progress.seconds / progress.step * (steps - progress.step)
            values = "  ".join(f"{key} {value:.4g}" for key, value in means.items())
            workshop.log(f"{name} {progress.step}/{steps}  {values}  left {left / 60:.1f} min")
            if stop is not None and stop(progress):
                save()
                break
        if progress.step % save_every == 0 or progress.step == steps:
            save()
    return progress


def _means(values: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each name over the mappings that carry it."""
    sums: dict[str, list[float]] = {}
    for value in values:
        for key, number in value.items():
            sums.setdefault(key, []).append(float(number))
    return {key: sum(numbers) / len(numbers) for key, numbers in sums.items()}
