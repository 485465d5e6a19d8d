"""Recipes: how a part of a pack is trained, and on what."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, overload, runtime_checkable


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
        """The variants of a corruption that a method is told (`Restore.variant`).

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
    """An image with phrases about it, and where each of them is seen.

    `pixels` are `[3, height, width]`, floats in [0, 1]. `phrases` are spans of `narrative`, as
    (start, end) in its characters; `expressions` mean the same things, each by itself; one of the
    two may be empty. Row i of `masks`, `[n, height, width]`, is what the i-th phrase and expression
    refer to.
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


@dataclass(frozen=True, eq=False)
class NamedScene:
    """An image in which everything has a name, a box and a mask, with texts about it.

    `pixels` are `[3, height, width]`, floats in [0, 1]. Row i of `boxes` (left, top, right, bottom
    in pixels, `[n, 4]`) and of `masks` (`[n, height, width]`) is the thing that `names[i]` names
    and that `expressions[i]` means. `questions` come with the answers that are right.
    """

    pixels: Any
    names: tuple[str, ...]
    boxes: Any
    masks: Any
    expressions: tuple[str, ...]
    caption: str
    questions: tuple[tuple[str, tuple[str, ...]], ...]


@runtime_checkable
class NamedScenes(Protocol):
    """Training images in which everything has a name, a box and a mask."""

    def names(self, split: str) -> Sequence[str]:
        """The classes of a split ("base", "validation", "novel")."""
        ...

    def batch(self, split: str, count: int, seed: int) -> Sequence[NamedScene]:
        """`count` scenes of a split; the same arguments give the same."""
        ...


@runtime_checkable
class TrainingWatcher(Protocol):
    """Is told by the training loop how far it is; among several processes, by the first alone."""

    def begun(
        self, name: str, step: int, steps: int, history: Sequence[tuple[int, Mapping[str, float]]]
    ) -> None:
        """A training begins, or resumes after a step with the losses until then."""
        ...

    def advanced(self, step: int) -> None:
        """This many steps are done."""
        ...

    def noted(self, step: int, losses: Mapping[str, float]) -> None:
        """The mean losses since the last note."""
        ...


@dataclass(frozen=True)
class StepCost:
    """What a step of a training takes.

    `numbers` are trained parameters; `work` is in floating-point operations, of products as in
    `DryRun`; `calls` are operators that compute something; `seconds` are those that it took.
    """

    numbers: int
    work: int
    calls: int
    seconds: float


@runtime_checkable
class Rehearsal(Protocol):
    """Is told by the training loop what a step takes, in trainings of three steps."""

    def tried(self, name: str, steps: int, cost: StepCost) -> None:
        """The first two and the last of `steps` steps were computed, and took so much at most."""
        ...


@dataclass(frozen=True)
class Workshop:
    """Where and how one recipe runs.

    `pack` is the folder of the pack in the making: a recipe reads the parts it needs from
    `pack / <need>` and writes its own to `pack / <name>`. `scratch` keeps checkpoints and caches
    and is never part of a pack. `settings` are overrides of the recipe's own settings, read by
    the recipe through its settings dataclass. `offered` makes training data, which recipes get by
    `data`: every offer of the hook `frostbench_training_data`.

    Attributes:
        published: Whether sizes and schedule default to the published ones instead of the pack's.
        out: Where the part is written, if not into the pack.
        accumulate: Shares of a batch that a process computes one after another.
        workers: Processes that read images ahead; 0 reads them in this one.
        log_every: Steps between two log lines; 0 leaves it to the recipe.
        save_every: Steps between two checkpoints; 0 leaves it to the recipe.
        watcher: Is told how far the training is.
        rehearsal: With it, each training takes its first two steps and its last.
    """

    pack: Path
    scratch: Path
    device: str = "cpu"
    seed: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)
    offered: Mapping[str, "MakeTrainingData"] = field(default_factory=dict)
    published: bool = False
    out: Path | None = None
    accumulate: int = 1
    workers: int = 0
    log_every: int = 0
    save_every: int = 0
    watcher: TrainingWatcher | None = None
    rehearsal: Rehearsal | None = None

    def folder(self, name: str) -> Path:
        """Where the part of a name is written."""
        return (self.pack if self.out is None else self.out) / name

    @cached_property
    def data(self) -> "TrainingData":
        """What the recipe may be trained on, by name."""
        return TrainingData(self)

    def log(self, line: str) -> None:
        """Print one line at once, for whoever watches a log file."""
        print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


MakeTrainingData: TypeAlias = Callable[[Workshop], object]
"""What a plugin offers as training data: made of a workshop, and of its other training data."""


class TrainingData:
    """Training data by name, each made of the workshop when it is first asked for."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._made: dict[str, object] = {}

    @overload
    def get(self, name: Literal["images"]) -> TrainingImages: ...
    @overload
    def get(self, name: Literal["pairs"]) -> Pairs: ...
    @overload
    def get(self, name: Literal["grounded"]) -> GroundedScenes: ...
    @overload
    def get(self, name: Literal["boxed"]) -> NamedScenes: ...
    @overload
    def get(self, name: Literal["text"]) -> Sequence[str]: ...
    @overload
    def get(self, name: str) -> Any: ...
    def get(self, name: str) -> Any:
        """The data of a name; "text" is plain text as paragraphs, for language models.

        Raises:
            ValueError: the workshop has none of that name.
        """
        offered = self._workshop.offered
        if name not in offered:
            raise ValueError(
                f"this recipe is trained on {name!r}, and the workshop has none; there are "
                f"{', '.join(map(repr, sorted(offered))) or 'no training data'}. A plugin offers "
                "them by the hook frostbench_training_data."
            )
        if name not in self._made:
            self._made[name] = offered[name](self._workshop)
        return self._made[name]


@dataclass(frozen=True)
class Report:
    """What a finished recipe reports, for the pack's card.

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
class DryRun:
    """What a training would cost, counted on networks without numbers.

    `trained` and `frozen` are parameters by network; `bytes_` is what they take on each device
    ("weights", "gradients", ...), and `kept` what the pass of a share keeps for its gradient.
    `work` are floating-point operations of a step, over all shares, by phase; multiplications and
    additions count separately, as torch counts them. `notes` say what is not counted.
    """

    steps: int
    batch: int
    trained: Mapping[str, int]
    frozen: Mapping[str, int]
    bytes_: Mapping[str, int]
    kept: int
    work: Mapping[str, int]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """One trainable part of a pack.

    `target` is the function `(Workshop) -> Report`, or names it as "module:function", so that
    listing recipes imports nothing heavy. `makes` are the files, relative to the pack, whose
    presence shows that the part is there; without them it is the folder with the recipe's name.

    `together` says that several processes can train it, each on its share of every batch, and that
    it takes a user's own data. `plan` is the function `(Workshop) -> DryRun`, or names it; with it
    there are published sizes (`Workshop.published`).

    `few` are settings with which everything besides the steps (figures, codebooks, examples made in
    advance) takes seconds. `shared` names settings of a training's batch: its work is
    proportional to them. Both are for a rehearsal.
    """

    name: str
    needs: tuple[str, ...]
    target: "str | Callable[[Workshop], Report]"
    summary: str
    makes: tuple[str, ...] = ()
    together: bool = False
    plan: "str | Callable[[Workshop], DryRun] | None" = None
    few: Mapping[str, str] = field(default_factory=dict)
    shared: tuple[str, ...] = ()

    def files(self, pack: Path) -> list[Path]:
        """What the recipe leaves in a pack: the made files, or all files of its folder."""
        if self.makes:
            return [pack / made for made in self.makes]
        return sorted(path for path in (pack / self.name).rglob("*") if path.is_file())

    def is_done(self, pack: Path) -> bool:
        """Whether the part is in the pack."""
        files = self.files(pack)
        return bool(files) and all(file.is_file() for file in files)
