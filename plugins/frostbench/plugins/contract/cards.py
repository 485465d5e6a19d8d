"""Cards: facts about a plugin's parts, read before any of its code is loaded."""

import importlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Literal, TypeAlias, TypeVar, get_args

REQUEST_TYPES = (
    "Classify",
    "Caption",
    "Answer",
    "Interpret",
    "Reconstruct",
    "Restore",
    "Segment",
    "Ground",
    "Reason",
    "Refine",
    "Detect",
    "SegmentInstances",
    "Locate",
)

HEADLESS: Mapping[str, str] = {
    "Segment": "it has no mask head",
    "Ground": "it has no mask head",
    "Reason": "it has no mask head, and finds no region to look at again",
    "Refine": "it has no mask head",
    "Detect": "it has no box head",
    "SegmentInstances": "it has no mask head",
    "Locate": "it has no box head",
}
"""Why a method that starts from `DiscreteMethod` answers no others, for `Card.reasons`."""

CONTINUOUS: Mapping[str, str] = {
    **HEADLESS,
    "Interpret": "its visual tokens are continuous: they are no words",
    "Reconstruct": "it gives no images",
    "Restore": "it gives no images",
}
"""Why a method that starts from `PrefixMethod` answers no others, for `Card.reasons`."""

DISCRETE = frozenset(REQUEST_TYPES).difference(HEADLESS)
"""The request types that such a method can answer."""

LARGEST_SCORE = 1e100
"""A score that is larger, of either sign, is none: its square has no place among numbers."""
NOISE = 1e-4  # relative amount by which rounding may take a score beyond its bounds


@dataclass(frozen=True)
class Card:
    """A method, as `frostbench list` and the leaderboard show it.

    `capabilities` are names of request types; `reasons` says, for a request type that the method
    does not answer, why (shown with the dash), and, by the name of a task, why it does not answer
    that task although it answers others of its type. `backbones` are roles of the pack ("llm",
    "clip"); `trained` names the method's own parts that were trained, and `trained_on` the data.
    `adapters` are names of tasks in which a LoRA adapter of the method is active beside the frozen
    weights; the leaderboard marks them, and controls that need one stand beside them. `controls`
    are those that the method itself makes, with something of it exchanged (`Method.control`); tasks
    that name them show them. `in_context` says whether prompts show a request's examples; controls
    that answer from these alone are left out where they do not. `discrete` says whether they show
    images as discrete tokens, ids or words; controls that count what two images share are left out
    where they do not.
    """

    name: str
    paper: str
    summary: str = ""
    version: str = "1"
    capabilities: frozenset[str] = frozenset()
    backbones: tuple[str, ...] = ()
    trained: tuple[str, ...] = ()
    trained_on: str = ""
    reasons: Mapping[str, str] = field(default_factory=dict)
    adapters: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    in_context: bool = True
    discrete: bool = True

    def __post_init__(self) -> None:
        _known_types("method", self.name, self.capabilities)
        if not self.name or set(self.name) & set(" =,/[]"):
            raise ValueError(f"a method's name has no blanks and none of = , / [ ]: {self.name!r}.")

    def reason(self, request_type: str) -> str:
        """Why the method shows a dash for a request type that it does not answer."""
        return self.reasons.get(request_type, f"does not answer {request_type} requests")

    def refuses(self, task: "TaskCard") -> str | None:
        """Why the method shows a dash for a task; None where it answers it."""
        if task.request_type not in self.capabilities:
            return self.reason(task.request_type)
        return self.reasons.get(task.name)


@dataclass(frozen=True)
class TaskCard:
    """A task, as listed: one question asked of many images.

    `protocols` are the ways in which it can be asked; a task with only one way has none. Metrics
    are ids that carry their protocol, and `ranks_by` is the one that orders the leaderboard.
    `reads` is what the prediction is: "label", "text", "image", "masks", "boxes". Among the
    protocols, `levels` are the same question at rising difficulty, the easiest first, and
    `variants` are other ways to ask it: the leaderboard draws a curve over levels, and points for
    variants.
    """

    name: str
    suite: str
    request_type: str
    reads: str
    metrics: tuple[str, ...]
    ranks_by: str
    protocols: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    summary: str = ""
    levels: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unknown = {*self.levels, *self.variants} - set(self.protocols)
        if unknown:
            raise ValueError(
                f"card of task {self.name!r}: {', '.join(map(repr, sorted(unknown)))} stands among "
                f"levels or variants and not among protocols {', '.join(self.protocols)}."
            )


ANY_NETWORK = "[*]"
MetricDirection = Literal["higher", "lower", "neither"]
MetricPooling = Literal["mean", "ratio", "bleu", "features", "average_precision", "whole"]


@dataclass(frozen=True)
class MetricFacts:
    """Facts about a metric. None is read off its id, which only names the protocol.

    Attributes:
        id: Name and protocol, or network: "psnr[rgb]", "lpips[alex]". With "[*]" there is one
            metric for each of the pack's backbones of the same kind as the first of `networks`,
            with the backbone's name in the brackets.
        unit: What its values are in ("dB"); empty where they have no unit.
        lower: The least value that it can give, and `upper` the largest; None where there is none.
        direction: Which end is better; "neither" for a share that only shows how answers lean.
        percent: Its values are shares from 0 to 1, shown times 100.
        pooling: How the value of a set is made from its samples. "mean": the mean of one score a
            sample. "ratio" and "bleu" sum counts first: "ratio" divides the first sum by the
            second; "bleu" reads matches and totals for each order of n-grams, then the lengths of
            candidates and of references. "features": the Fréchet distance, from one feature vector
            a sample. "average_precision": the mean over classes and thresholds of the precision at
            101 recalls, of the detections of all samples, ranked by their scores. "whole": one
            number that a function computes from all samples (`WholeSet`).
        corpus: It first learns from the task's corpus of references which words are rare (CIDEr-D).
        networks: Roles of the pack's backbones that it looks through ("clip").
        weights: The key of `metric_weights` under which the user names its network's file.
        tasks: Tasks that show it although their own cards do not name it.

    Raises:
        ValueError: direction or pooling is unknown, a percentage has a unit or other bounds than 0
            and 1, bounds are no interval, or a metric with "[*]" names no network.
    """

    id: str
    unit: str = ""
    lower: float | None = None
    upper: float | None = None
    direction: MetricDirection = "higher"
    percent: bool = False
    pooling: MetricPooling = "mean"
    corpus: bool = False
    networks: tuple[str, ...] = ()
    weights: str = ""
    tasks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, value, known in (
            ("direction", self.direction, get_args(MetricDirection)),
            ("pooling", self.pooling, get_args(MetricPooling)),
        ):
            if value not in known:
                raise ValueError(
                    f"metric {self.id!r}: no {name} named {value!r}; there are {', '.join(known)}."
                )
        if self.id.endswith(ANY_NETWORK) and not self.networks:
            raise ValueError(
                f"metric {self.id!r} is one for each network, and `networks` names no role."
            )
        if self.percent and (self.unit, self.lower, self.upper) != ("", 0, 1):
            raise ValueError(
                f"metric {self.id!r}: a percentage has no unit, and lies from 0 to 1: give "
                "lower=0.0 and upper=1.0, or leave percent out."
            )
        low = -LARGEST_SCORE if self.lower is None else self.lower
        high = LARGEST_SCORE if self.upper is None else self.upper
        if not -LARGEST_SCORE <= low < high <= LARGEST_SCORE:
            raise ValueError(
                f"metric {self.id!r}: {self.lower} to {self.upper} are no bounds; None says that "
                "there is none."
            )

    def misfit(self, score: float) -> str:
        """What is wrong with a score, as a clause; "" where nothing is."""
        if not abs(score) <= LARGEST_SCORE:
            return f"gave {str(score).replace('nan', 'NaN')}, which is no score"
        low, high = self.lower, self.upper
        near = NOISE * max(1.0, abs(low or 0.0), abs(high or 0.0))
        if (low is not None and score < low - near) or (high is not None and score > high + near):
            return f"gave {score:g}, and says itself that its scores are from {low} to {high}"
        return ""


@dataclass(frozen=True)
class ControlCard:
    """A control, as listed: a table row that shows what some part of a method contributes.

    `meaning` says in a clause what is done, and stands beside the row. A `ceiling` is not meant to
    be beaten; a `drawn` control is a line in the curves of tasks with levels. A control stands in
    the tasks whose cards name it, in those named in `tasks`, and in all whose requests are of
    `request_types`, so that a task need not know it.

    A method has this row only if it has what the control needs: with `in_context`, prompts that
    show a request's examples; with `discrete`, prompts that show images as discrete tokens; with
    `adapter`, a LoRA adapter for the task; and, for the task's type of requests, the capability
    that `answers` names.
    """

    name: str
    meaning: str
    ceiling: bool = False
    drawn: bool = False
    tasks: tuple[str, ...] = ()
    request_types: tuple[str, ...] = ()
    in_context: bool = False
    adapter: bool = False
    answers: Mapping[str, str] = field(default_factory=dict)
    discrete: bool = False

    def __post_init__(self) -> None:
        _known_types(
            "control", self.name, {*self.request_types, *self.answers, *self.answers.values()}
        )

    def stands_in(self, task: TaskCard) -> bool:
        """Whether a task shows the control."""
        return (
            self.name in task.controls
            or task.name in self.tasks
            or task.request_type in self.request_types
        )


@dataclass(frozen=True)
class PackCard:
    """A pack, as listed: a folder with `pack.json` in it.

    `parts` is a YAML file that lists what the pack is put together from, where a user has to do so
    (`frostbench pack NAME`); `folder` is empty until then.
    """

    name: str
    folder: str
    summary: str = ""
    parts: str = ""


PresetCommand: TypeAlias = Literal["run", "train"]


@dataclass(frozen=True)
class PresetCard:
    """A preset, as listed: a file with keys of `frostbench run`, and the table that it gives.

    One for the command `train` has keys of `frostbench train`, and gives a new pack.
    """

    name: str
    file: str
    summary: str = ""
    command: PresetCommand = "run"

    @classmethod
    def of(cls, file: Path, command: PresetCommand = "run") -> "PresetCard":
        """The card of a file called like the preset, whose first line says what it gives.

        That line is a comment.
        """
        with file.open(encoding="utf-8") as lines:
            return cls(file.stem, str(file), next(lines).removeprefix("#").strip(), command)


def _known_types(kind: str, name: str, types: Collection[str]) -> None:
    unknown = set(types) - set(REQUEST_TYPES)
    if unknown:
        raise ValueError(
            f"card of {kind} {name!r}: no request type named "
            f"{', '.join(map(repr, sorted(unknown)))}; there are {', '.join(REQUEST_TYPES)}."
        )


C = TypeVar("C")


@dataclass(frozen=True)
class Offer(Generic[C]):
    """A card, and where its class or function is found when it is needed.

    `target` is "module:attribute", or the object itself where it is already imported. A plugin
    file `mine.py` names what stands in it as "mine:attribute".
    """

    card: C
    target: str | object

    def load(self) -> object:
        """Import and return the object that the card describes."""
        if not isinstance(self.target, str):
            return self.target
        module, _, attribute = self.target.partition(":")
        return getattr(importlib.import_module(module), attribute)
