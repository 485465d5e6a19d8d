"""Which rows a task has: methods, and the controls that are made of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from frostbench.bench.runner.plan import Controls, PlannedMethod, PlannedTask
from frostbench.eval_suites.controls.ceiling import ceiling
from frostbench.eval_suites.controls.floor import floor
from frostbench.eval_suites.controls.oracle import oracle_box
from frostbench.plugins.contract.cards import Card, TaskCard
from frostbench.plugins.contract.requests import Request
from frostbench.plugins.contract.task import Instance

NO_ADAPTER = "no_adapter"
OTHER_IMAGE = "other_image"
SHUFFLED_WORDS = "shuffled_words"
SPECIAL: Mapping[str, tuple[Callable[[Instance], Instance], Mapping[str, str]]] = {
    "ceiling": (ceiling, {"Restore": "Reconstruct"}),
    "floor": (floor, {"Restore": "Reconstruct"}),
    "oracle_box": (oracle_box, {"Segment": "Refine", "Ground": "Refine", "Reason": "Reason"}),
}
"""Controls that ask for something else: how, and, by the task's type, what a method must answer."""

SHUFFLED_TOKENS = "shuffled_tokens"
EXCHANGED = (SHUFFLED_TOKENS, OTHER_IMAGE)
"""Controls in which images give way to others."""


@dataclass(frozen=True)
class Entrant:
    """A method alone, or a control of it."""

    method: str
    control: str | None = None

    def request(self, instance: Instance) -> Request:
        """What the method is asked in this row."""
        make, _ = SPECIAL.get(self.control or "", (None, None))
        return instance.request if make is None else make(instance).request

    @property
    def title(self) -> str:
        """How sentences name the row."""
        return f"method {self.method!r}" + (f" ({self.control})" if self.control else "")


@dataclass(frozen=True)
class Lineup:
    """The rows of a task that are made of methods, and what is left out, with reasons."""

    rows: tuple[Entrant, ...]
    dashes: tuple[Mapping[str, str], ...]
    controls_left_out: tuple[Mapping[str, str], ...]


def rows_of(
    planned: PlannedTask, methods: Sequence[PlannedMethod], controls: Controls | None
) -> Lineup:
    """The rows, ordered by name so that the order of methods changes no number."""
    task = planned.task.card
    rows: list[Entrant] = []
    dashes: list[Mapping[str, str]] = []
    left_out: list[Mapping[str, str]] = []
    for card in sorted((method.card for method in methods), key=lambda card: card.name):
        reason = card.refuses(task)
        if reason is not None:
            dashes.append({"method": card.name, "task": task.name, "reason": reason})
            continue
        rows.append(Entrant(card.name))
        for control in bound_controls(task, controls):
            needed = _needed(task, control)
            if needed is not None and needed not in card.capabilities:
                left_out.append(_left_out(card, task, control, needed))
            elif _has(card, task, control, controls):
                rows.append(Entrant(card.name, control))
    return Lineup(tuple(rows), tuple(dashes), tuple(left_out))


def _has(card: Card, task: TaskCard, control: str, controls: Controls | None) -> bool:
    """Whether the method has what the control needs or takes away, or brings the control itself."""
    if control == NO_ADAPTER:
        return task.name in card.adapters
    if controls is not None and control in controls.engines:
        return card.in_context
    return controls is None or control not in controls.brought or control in card.controls


def bound_controls(task: TaskCard, controls: Controls | None) -> list[str]:
    """Those of the task's controls that are made of a method."""
    if controls is None:
        return []
    made = {*controls.engines, *controls.rewrites, *SPECIAL, SHUFFLED_WORDS, *controls.brought}
    if controls.exchange is not None:
        made |= set(EXCHANGED)
    return [control for control in task.controls if control in made]


def free_controls(task: TaskCard, controls: Controls | None) -> list[str]:
    """Those of the task's controls that the task itself makes, without a method."""
    if controls is None:
        return []
    bound = bound_controls(task, controls)
    return [control for control in task.controls if control not in bound]


def _needed(task: TaskCard, control: str) -> str | None:
    """The type of the requests of a control's row, if it is not the task's own."""
    _, types = SPECIAL.get(control, (None, {}))
    return types.get(task.request_type)


def _left_out(card: Card, task: TaskCard, control: str, needed: str) -> Mapping[str, str]:
    reason = card.reason(needed)
    return {"method": card.name, "task": task.name, "control": control, "reason": reason}
