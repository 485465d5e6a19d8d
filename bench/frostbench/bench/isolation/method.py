"""An isolated method as the run sees it: its verbs are called in the other process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor

from frostbench.bench.isolation.link import Link
from frostbench.bench.isolation.serving import Opening
from frostbench.bench.runner.plan import PlannedMethod
from frostbench.plugins.contract.cards import Card
from frostbench.plugins.contract.completions import Completion
from frostbench.plugins.contract.method import Method, Setup, Tokens, Waves
from frostbench.plugins.contract.predictions import Prediction
from frostbench.plugins.contract.requests import Request
from frostbench.plugins.contract.tokens import VisualTokens


def isolated(planned: PlannedMethod, opening: Opening, device: str = "cpu") -> PlannedMethod:
    """The same method, built in a process of its own when its first sample comes.

    `opening` is pickled, and opens there what the method is built from. None of the method's code
    runs in the run's process.
    """
    apart = _Apart(planned.card, opening, device)
    return replace(planned, prepare=apart.prepare, build=apart.build)


class _Apart:
    """How an isolated method is built."""

    def __init__(self, card: Card, opening: Opening, device: str) -> None:
        self._card = card
        self._opening = opening
        self._device = device
        self._link: Link | None = None

    def prepare(self) -> None:
        """Start the process, and load its backbones."""
        self._link = Link(self._opening, self._device)
        self._link.ask("open")

    def build(self) -> Method:
        """Build the method there."""
        if self._link is None:
            self.prepare()
        link, self._link = self._link, None
        assert link is not None
        notes, fingerprint, whole, codes, shortened_by = link.ask("build")
        facts = _Facts(
            tuple(map(_text, notes)),
            _text(fingerprint),
            {_text(part): int(count) for part, count in codes.items()},
            tuple(map(_text, shortened_by)),
        )
        kind = _IsolatedWhole if whole is True else _Isolated
        return kind(self._card, link, facts)


@dataclass(frozen=True)
class _Facts:
    """A method's facts about itself."""

    notes: tuple[str, ...]
    fingerprint: str
    codes: Mapping[str, int]
    shortened_by: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Outcome:
    """An outcome that stays in the method's process."""

    link: Link
    number: int

    def __del__(self) -> None:
        self.link.done_with(self.number)


class _Isolated(Method):
    """Forwards everything to the process; `key` is the control that it stands for, "" if none."""

    def __init__(self, card: Card, link: Link, facts: _Facts, key: str = "") -> None:
        self.card = card  # type: ignore[misc]  # the card of the method that it stands for
        self._link = link
        self._facts = facts
        self._key = key

    @classmethod
    def build(cls, setup: Setup) -> Method:
        """Never called: the method is built in its process."""
        raise TypeError("an isolated method is built in its own process.")

    @classmethod
    def toy(cls) -> Method:
        """Never called either."""
        raise TypeError("an isolated method has no toy.")

    @property
    def fingerprint(self) -> str:
        """The method's own."""
        return self._facts.fingerprint

    @property
    def notes(self) -> Sequence[str]:
        """The method's own."""
        return self._facts.notes

    @property
    def codes(self) -> Mapping[str, int]:
        """The method's own."""
        return self._facts.codes

    @property
    def shortened_by(self) -> Sequence[str]:
        """The method's own."""
        return self._facts.shortened_by

    def tokenize(self, images: Float[Tensor, "b 3 h w"], sizes: Int[Tensor, "b 2"]) -> VisualTokens:
        """What the method makes of images."""
        tokens: VisualTokens = self._link.ask("tokenize", images, sizes)
        return tokens

    def prompt(self, request: Request, tokens: Tokens) -> Waves:
        """The method's waves; the outcome stays in its process."""
        number = self._link.new_number()
        outcome = _Outcome(self._link, number)
        wave = self._link.ask("prompt", number, self._key, request, dict(tokens))
        while wave is not None:
            completions: list[Completion] = yield wave
            wave = self._link.ask("advance", number, completions)
        return outcome

    def decode(self, requests: Sequence[Request], outcomes: Sequence[Any]) -> list[Prediction]:
        """The method's predictions."""
        numbers = [one.number for one in outcomes]
        made: list[Prediction] = self._link.ask("decode", self._key, list(requests), numbers)
        return made

    def words(self, tokens: VisualTokens) -> Mapping[str, Sequence[Sequence[str]]]:
        """The method's words for tokens."""
        words: Mapping[str, Sequence[Sequence[str]]] = self._link.ask("words", tokens)
        return words

    def neighbours(
        self, images: Float[Tensor, "b 3 h w"], sizes: Int[Tensor, "b 2"], count: int
    ) -> list[Mapping[str, Sequence[Sequence[Sequence[str]]]]]:
        """The method's nearest words."""
        made: list[Mapping[str, Sequence[Sequence[Sequence[str]]]]]
        made = self._link.ask("neighbours", images, sizes, count)
        return made

    def control(self, name: str) -> Method:
        """A control that the method makes, in the same process."""
        codes, shortened_by = self._link.ask("control", name)
        facts = _Facts((), self.fingerprint, codes, tuple(shortened_by))
        return _Isolated(self.card, self._link, facts, name)


class _IsolatedWhole(_Isolated):
    """An isolated method that also reads whole images."""

    def tokenize_whole(
        self,
        images: Float[Tensor, "b 3 h w"],
        sizes: Int[Tensor, "b 2"],
        wholes: Sequence[Float[Tensor, "3 _rows _columns"]],
    ) -> VisualTokens:
        """What the method makes of images that were cut from larger ones."""
        tokens: VisualTokens = self._link.ask("tokenize", images, sizes, list(wholes))
        return tokens


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"its process said {value!r} of it, which is no text")
    return value
