"""Cards: what a plugin says of itself before any of its code is loaded."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

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
)

HEADLESS: Mapping[str, str] = {
    "Segment": "it has no mask head",
    "Ground": "it has no mask head",
    "Reason": "it has no mask head, and finds no region to look at again",
    "Refine": "it has no mask head",
    "Detect": "it has no box head",
}
"""Why a method that starts from `DiscreteMethod` answers no others, for `Card.reasons`."""

DISCRETE = frozenset(REQUEST_TYPES).difference(HEADLESS)
"""The request types that such a method can answer."""


@dataclass(frozen=True)
class Card:
    """A method, as `frostbench list` and the leaderboard show it.

    `capabilities` are names of request types; `reasons` says, for a request type that the method
    does not answer, why (shown with the dash), and, by the name of a task, why it does not answer
    that task although it answers others of its type. `backbones` are roles of the pack ("llm",
    "clip"); `trained` names the method's own parts that were trained, and `trained_on` the data.
    `adapters` are names of tasks in which a LoRA adapter of the method is active beside the frozen
    weights; the leaderboard marks them, and the control `no_adapter` stands beside them. `controls`
    are those that the method itself makes, with something of it exchanged (`Method.control`); tasks
    that name them show them. `in_context` says whether prompts show a request's examples; controls
    that answer from these alone are left out where they do not.
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

    def __post_init__(self) -> None:
        unknown = set(self.capabilities) - set(REQUEST_TYPES)
        if unknown:
            raise ValueError(
                f"card of method {self.name!r}: no request type named "
                f"{', '.join(map(repr, sorted(unknown)))}; there are {', '.join(REQUEST_TYPES)}."
            )
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
    `reads` is what the prediction is: "label", "text", "image", "masks", "boxes". Of the protocols,
    `levels` ask the same ever harder, the easiest first, and `variants` ask it in several ways: the
    leaderboard draws a curve of the ones, and points of the others.
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


@dataclass(frozen=True)
class PackCard:
    """A pack, as listed: a folder with `pack.json` in it."""

    name: str
    folder: str
    summary: str = ""


C = TypeVar("C")


@dataclass(frozen=True)
class Offer(Generic[C]):
    """A card, and where the class or function behind it is found when it is needed.

    `target` is "module:attribute", or the object itself where it is already imported.
    """

    card: C
    target: str | object

    def load(self) -> object:
        """Import and return the object behind the card."""
        if not isinstance(self.target, str):
            return self.target
        module, _, attribute = self.target.partition(":")
        return getattr(importlib.import_module(module), attribute)
