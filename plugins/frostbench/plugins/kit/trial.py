"""A trial of a method: its toy, requests to try it on, and results that checks share."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from frostbench.plugins.contract.cards import Card
from frostbench.plugins.contract.completions import Completion
from frostbench.plugins.contract.engine import Engine, UnanswerableError
from frostbench.plugins.contract.images import Image, as_batch
from frostbench.plugins.contract.method import Method, Tokens
from frostbench.plugins.contract.prompts import Prompt
from frostbench.plugins.contract.requests import Request, Restore, images_of
from frostbench.plugins.contract.tokens import VisualTokens
from frostbench.plugins.engine import answer
from frostbench.plugins.host.limits import TOY_LIMITS, Limits
from frostbench.plugins.kit import toys
from frostbench.plugins.kit.requests import images, requests


class BrokenPromiseError(Exception):
    """A promise of the contract does not hold; the message says what was seen."""


@dataclass
class Recorder:
    """An engine that remembers what it was asked."""

    engine: Engine
    asked: list[Prompt] = field(default_factory=list)

    def run(self, prompts: Sequence[Prompt]) -> list[Completion]:
        """Pass the prompts on."""
        self.asked += prompts
        return self.engine.run(prompts)


class Trial:
    """A method's toy with requests to try it on; what checks share is computed once.

    Attributes:
        most: What the toy may take.
        overrun: The check in which it took more; "" if none.
    """

    def __init__(self, method_class: type[Method], most: Limits = TOY_LIMITS) -> None:
        self.method_class = method_class
        self.most = most
        self.overrun = ""
        self.before = toys.checksums()

    @property
    def name(self) -> str:
        """The method's name, or that of its class where it has no card."""
        card = getattr(self.method_class, "card", None)
        return str(getattr(card, "name", self.method_class.__name__))

    @cached_property
    def method(self) -> Method:
        """The toy."""
        return self.method_class.toy()

    @cached_property
    def engine(self) -> Engine:
        """The engine, with the toy backbones."""
        return toys.engine()

    @cached_property
    def requests(self) -> list[Request]:
        """Requests of the types that the card declares, without tasks that it declines by name."""
        card, by_type = self.method.card, requests()
        declared = [one for kind in sorted(card.capabilities) for one in by_type[kind]]
        return [one for one in declared if not declined(card, one)]

    @cached_property
    def controls(self) -> dict[str, "Trial"]:
        """A trial of each control that the method makes itself, on the method's own tokens."""
        trials = {}
        for name in self.method.card.controls:
            made = self.method.control(name)
            expect(
                isinstance(made, Method),
                f"control({name!r}) returned a {type(made).__name__}, not a Method.",
            )
            trial = Trial(type(made))
            trial.method, trial.images, trial.tokens = made, self.images, self.tokens
            trials[name] = trial
        return trials

    @cached_property
    def images(self) -> list[Image]:
        """Every image of the requests, or some images where the requests have none."""
        seen = dict.fromkeys(image for one in self.requests for image in images_of(one))
        return list(seen) or images()

    @cached_property
    def tokens(self) -> Tokens:
        """The tokens of every image."""
        return answer.tokenized(self.method, self.images)

    @cached_property
    def asked(self) -> tuple[list[Prompt], list[Any]]:
        """All that the requests' prompts ask, and what they led to."""
        recorder = Recorder(self.engine)
        outcomes = self.drive(self.requests, recorder)
        return recorder.asked, outcomes

    @property
    def outcomes(self) -> list[Any]:
        """What the requests' prompts led to."""
        return self.asked[1]

    def tokenize(self, images: Sequence[Image]) -> VisualTokens:
        """The tokens of a batch of images."""
        return self.method.tokenize(*as_batch(images))

    def drive(self, several: Sequence[Request], engine: Engine | None = None) -> list[Any]:
        """The outcomes of requests that run together."""
        try:
            return answer.outcomes(self.method, several, engine or self.engine, self.tokens)
        except UnanswerableError as error:
            raise BrokenPromiseError(str(error)) from error

    def refusal(self, request: Request) -> str | None:
        """Why the method does not answer a request; None where it does."""
        try:
            tokens = answer.tokenized(self.method, images_of(request))
            answer.outcomes(self.method, [request], self.engine, tokens)
        except UnanswerableError as error:
            return str(error)
        return None


def declined(card: Card, request: Request) -> bool:
    """Whether the card says by a task's name why the method does not answer this restoration."""
    return isinstance(request, Restore) and request.corruption in card.reasons


def expect(holds: bool, otherwise: str) -> None:
    """Raise `BrokenPromiseError` with this sentence unless the promise holds."""
    if not holds:
        raise BrokenPromiseError(otherwise)
