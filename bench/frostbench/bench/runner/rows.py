"""Decides which rows a task has: methods and controls."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, assert_never

from frostbench.bench.store.manifest import Dash, LeftOut
from frostbench.plugins.contract.cards import Card, ControlCard, TaskCard
from frostbench.plugins.contract.control import (
    Company,
    Control,
    Exchange,
    NoMethod,
    OtherEngine,
    OtherImage,
    OtherPrompt,
    OtherRequest,
    OtherTokens,
    StandIn,
)
from frostbench.plugins.contract.engine import Engine
from frostbench.plugins.contract.predictions import Prediction
from frostbench.plugins.contract.prompts import Prompt
from frostbench.plugins.contract.requests import Request
from frostbench.plugins.contract.task import Instance

Predict: TypeAlias = Callable[[Sequence[Instance]], Sequence[Prediction]]


@dataclass(frozen=True)
class Way:
    """How a control changes what a method is asked or answers; None changes nothing.

    Attributes:
        ask: what the method is asked.
        answer: how its prediction is changed.
        image: which image is asked about.
        tokens: whose visual tokens each image gets.
        rewrite: how the prompts are changed.
        engine: who answers them.
        stands_in: whether the method's stand-in takes part in its place.
    """

    ask: Callable[[Instance, Company], Request] | None = None
    answer: Callable[[Prediction, Instance, Company], Prediction] | None = None
    image: Exchange | None = None
    tokens: Exchange | None = None
    rewrite: Callable[[Prompt], Prompt] | None = None
    engine: Engine | None = None
    stands_in: bool = False


@dataclass(frozen=True)
class Entrant:
    """A method alone, or a control of it."""

    method: str
    control: str | None = None
    way: Way = field(default=Way(), compare=False)

    @property
    def title(self) -> str:
        """How sentences name the row."""
        return f"method {self.method!r}" + (f" ({self.control})" if self.control else "")


@dataclass(frozen=True)
class Lineup:
    """The rows of a task, and what is left out, with reasons.

    `free` are the controls that need no method, with the function that predicts; None where the
    task does. `controls` are the cards of all that the task shows.
    """

    rows: tuple[Entrant, ...]
    free: Mapping[str, Predict | None]
    dashes: tuple[Dash, ...]
    controls_left_out: tuple[LeftOut, ...]
    controls: tuple[ControlCard, ...]

    @property
    def pairs(self) -> list[tuple[str | None, str | None]]:
        """Method and control of every row, as records name them."""
        own = [(row.method, row.control) for row in self.rows]
        return [*own, *((None, control) for control in self.free)]


def rows_of(
    task: TaskCard,
    methods: Iterable[Card],
    controls: Mapping[str, Control] | None,
    lacking: Mapping[str, Mapping[str, str]] | None = None,
) -> Lineup:
    """The rows of a task, grouped by method; without controls for None.

    `lacking` says by method which controls it cannot make, and why.
    """
    shown = [] if controls is None else _shown(task, controls)
    ways, free = _by_kind(shown)
    rows: list[Entrant] = []
    dashes: list[Dash] = []
    left_out: list[LeftOut] = []
    for card in methods:
        reason = card.refuses(task)
        if reason is not None:
            dashes.append(Dash(card.name, task.name, reason))
            continue
        rows.append(Entrant(card.name))
        for control, way in ways:
            needed = control.answers.get(task.request_type)
            if needed is not None and needed not in card.capabilities:
                reason = card.reason(needed)
                left_out.append(LeftOut(card.name, task.name, control.name, reason))
            elif not _has(card, task, control, way):
                continue
            elif control.name in (absent := (lacking or {}).get(card.name, {})):
                left_out.append(LeftOut(card.name, task.name, control.name, absent[control.name]))
            else:
                rows.append(Entrant(card.name, control.name, way))
    cards = tuple(control.card for control in shown)
    return Lineup(tuple(rows), free, tuple(dashes), tuple(left_out), cards)


def _shown(task: TaskCard, controls: Mapping[str, Control]) -> list[Control]:
    """The controls that a task names or that join it; those that no plugin offers, it makes."""
    named = [
        controls.get(name, Control(ControlCard(name, ""), NoMethod())) for name in task.controls
    ]
    return named + [
        control
        for name, control in controls.items()
        if name not in task.controls and control.card.stands_in(task)
    ]


def _by_kind(
    controls: Iterable[Control],
) -> tuple[list[tuple[ControlCard, Way]], dict[str, Predict | None]]:
    """The controls that are made of a method, and those that need none."""
    ways: list[tuple[ControlCard, Way]] = []
    free: dict[str, Predict | None] = {}
    for control in controls:
        match control.change:
            case OtherEngine(engine):
                way = Way(engine=engine)
            case OtherPrompt(rewrite):
                way = Way(rewrite=rewrite)
            case OtherTokens(exchange):
                way = Way(tokens=exchange)
            case OtherImage(exchange):
                way = Way(image=exchange)
            case OtherRequest(ask, answer):
                way = Way(ask=ask, answer=answer)
            case StandIn():
                way = Way(stands_in=True)
            case NoMethod(predict):
                free[control.card.name] = predict
                continue
            case _:
                assert_never(control.change)
        ways.append((control.card, way))
    return ways, free


def _has(card: Card, task: TaskCard, control: ControlCard, way: Way) -> bool:
    """Whether the method has what the control needs, or brings the control itself."""
    return (
        (card.in_context or not control.in_context)
        and (card.discrete or not control.discrete)
        and (task.name in card.adapters or not control.adapter)
        and (control.name in card.controls or not way.stands_in)
    )
