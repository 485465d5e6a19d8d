"""Which rows a task has: methods, and the controls that are made of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from frostbench.eval_suites.controls.ceiling import ceiling
from frostbench.eval_suites.controls.floor import floor
from frostbench.eval_suites.runner.plan import Controls, PlannedMethod, PlannedTask
from frostbench.plugins.cards import Card, TaskCard
from frostbench.plugins.images import Image
from frostbench.plugins.requests import Request, images_of
from frostbench.plugins.task import Instance

RECONSTRUCTED: Mapping[str, Callable[[Instance], Instance]] = {"ceiling": ceiling, "floor": floor}
"""By control, what is reconstructed in place of a restoration."""

NO_ADAPTER = "no_adapter"
EXCHANGED: Mapping[str, Callable[[Request], Sequence[Image]]] = {
    "shuffled_tokens": images_of,
    "other_image": lambda request: (request.image,),
}
"""By control, which of a request's pictures get the visual tokens of others."""


@dataclass(frozen=True)
class Row:
    """A method alone, or a control of it."""

    method: str
    control: str | None = None

    def request(self, instance: Instance) -> Request:
        """What the method is asked in this row."""
        made = RECONSTRUCTED.get(self.control or "")
        return instance.request if made is None else made(instance).request

    def exchanged(self, request: Request) -> Sequence[Image]:
        """The pictures of a request that get the visual tokens of others in this row."""
        pictures = EXCHANGED.get(self.control or "")
        return () if pictures is None else pictures(request)

    @property
    def title(self) -> str:
        """How sentences name the row."""
        return f"method {self.method!r}" + (f" ({self.control})" if self.control else "")


@dataclass(frozen=True)
class Rows:
    """The rows of a task that are made of methods, and what is left out, with reasons."""

    rows: tuple[Row, ...]
    dashes: tuple[Mapping[str, str], ...]
    controls_left_out: tuple[Mapping[str, str], ...]


def rows_of(
    planned: PlannedTask, methods: Sequence[PlannedMethod], controls: Controls | None
) -> Rows:
    """The rows, ordered by name so that the order of methods changes no number."""
    task = planned.task.card
    rows: list[Row] = []
    dashes: list[Mapping[str, str]] = []
    left_out: list[Mapping[str, str]] = []
    for card in sorted((method.card for method in methods), key=lambda card: card.name):
        reason = card.refuses(task)
        if reason is not None:
            dashes.append({"method": card.name, "task": task.name, "reason": reason})
            continue
        rows.append(Row(card.name))
        for control in bound_controls(task, controls):
            if control in RECONSTRUCTED and "Reconstruct" not in card.capabilities:
                left_out.append(_left_out(card, task, control))
            elif _has(card, task, control, controls):
                rows.append(Row(card.name, control))
    return Rows(tuple(rows), tuple(dashes), tuple(left_out))


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
    made = {*controls.engines, *controls.rewrites, *RECONSTRUCTED, *controls.brought}
    if controls.exchange is not None:
        made |= set(EXCHANGED)
    return [control for control in task.controls if control in made]


def free_controls(task: TaskCard, controls: Controls | None) -> list[str]:
    """Those of the task's controls that the task itself makes, without a method."""
    if controls is None:
        return []
    bound = bound_controls(task, controls)
    return [control for control in task.controls if control not in bound]


def _left_out(card: Card, task: TaskCard, control: str) -> Mapping[str, str]:
    reason = card.reason("Reconstruct")
    return {"method": card.name, "task": task.name, "control": control, "reason": reason}
