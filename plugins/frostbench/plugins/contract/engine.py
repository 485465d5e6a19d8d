"""Engines: what answers prompts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from frostbench.plugins.contract.completions import Completion
from frostbench.plugins.contract.prompts import Adapter, Prompt


@runtime_checkable
class Engine(Protocol):
    """Whatever answers prompts: the frozen models, or a control that needs none."""

    def run(self, prompts: Sequence[Prompt]) -> list[Completion]:
        """One completion a prompt, in order. A prompt that cannot be answered is `Failed`."""
        ...


class UnanswerableError(Exception):
    """A prompt that an engine cannot answer; the message is one sentence."""


@dataclass(frozen=True)
class Length:
    """How many tokens a prompt has for its backbone.

    `new` is the most that it asks for; `limit` what the backbone reads and writes in all, None
    where it sets no limit.
    """

    tokens: int
    new: int
    limit: int | None

    @property
    def fits(self) -> bool:
        """Whether the backbone can answer it."""
        return self.limit is None or self.tokens + self.new <= self.limit


@runtime_checkable
class Holds(Protocol):
    """An engine that holds models beside the shared backbones, such as those under adapters.

    A run certifies them as it does the backbones. Engines need not hold any.
    """

    def held(self) -> Mapping[tuple[str, Adapter], Any]:
        """The models held now, by the role of the shared backbone and the adapter over it."""
        ...


@runtime_checkable
class Measures(Protocol):
    """An engine that can tell how long a prompt is without answering it.

    A run then asks for the first prompts of every method on every task before it begins, so that a
    context which is too long is reported at once. Engines need not be able to.
    """

    def measure(self, prompt: Prompt) -> Length:
        """The prompt's length for its backbone.

        Raises:
            ValueError: the backbone cannot answer it, for another reason than its length.
        """
        ...
