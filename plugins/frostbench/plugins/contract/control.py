"""Controls: a method with one thing changed or replaced, shown in a table row of its own."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from frostbench.plugins.contract.cards import Card, ControlCard
from frostbench.plugins.contract.engine import Engine
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.predictions import Prediction
from frostbench.plugins.contract.prompts import Prompt
from frostbench.plugins.contract.requests import Request
from frostbench.plugins.contract.task import Instance

Exchange: TypeAlias = Callable[[Sequence[Image], int], Mapping[Image, Image]]
"""For each of at least two distinct images another one, drawn from the seed.

Raises `ValueError` where there is none to exchange with.
"""


@dataclass(frozen=True)
class Company:
    """What is known of the requests that run beside a request.

    `phrases` are all that they ask for; `seed` is the request's own, for controls that draw.
    """

    phrases: tuple[str, ...]
    seed: int


@dataclass(frozen=True)
class OtherEngine:
    """The method's own prompts, answered by another engine."""

    engine: Engine


@dataclass(frozen=True)
class OtherPrompt:
    """The method's own prompts with something taken away, answered by the run's own engine.

    `rewrite` raises `ValueError` where there is nothing to take.
    """

    rewrite: Callable[[Prompt], Prompt]


@dataclass(frozen=True)
class OtherTokens:
    """Each image with the visual tokens of another."""

    exchange: Exchange


@dataclass(frozen=True)
class OtherImage:
    """Another image in place of the asked one; in-context examples stay."""

    exchange: Exchange


@dataclass(frozen=True)
class OtherRequest:
    """Another request to the method: the only kind of change that may look at the target.

    `ask` raises `ValueError` where an instance cannot be asked so. `answer` turns the prediction
    into an answer to the instance's own request; None where it is one already.
    """

    ask: Callable[[Instance, Company], Request]
    answer: Callable[[Prediction, Instance, Company], Prediction] | None = None


@dataclass(frozen=True)
class StandIn:
    """The stand-in that the method gives (`Method.control`), if its card names the control."""


@dataclass(frozen=True)
class NoMethod:
    """Predictions without a method, one an instance; None stands for those of `Task.controls`."""

    predict: Callable[[Sequence[Instance]], Sequence[Prediction]] | None = None


Change: TypeAlias = (
    OtherEngine | OtherPrompt | OtherTokens | OtherImage | OtherRequest | StandIn | NoMethod
)


@dataclass(frozen=True)
class Control:
    """A control: its card, and what it changes."""

    card: ControlCard
    change: Change


def all_controls(offered: Iterable[Control], cards: Iterable[Card] = ()) -> dict[str, Control]:
    """All controls by name: those of plugins, and those that methods with these cards bring.

    Raises:
        ValueError: a method brings one under a name that is taken.
    """
    known = {control.card.name: control for control in offered}
    for card in cards:
        for name in card.controls:
            found = known.setdefault(name, Control(ControlCard(name, ""), StandIn()))
            if not isinstance(found.change, StandIn):
                raise ValueError(
                    f"method {card.name!r} brings a control {name!r}, which is made of every "
                    "method; give it another name."
                )
    return known
