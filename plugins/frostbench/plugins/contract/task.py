"""Tasks and metrics, as plugins give them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from jaxtyping import Bool
from torch import Tensor

from frostbench.plugins.contract.cards import TaskCard
from frostbench.plugins.contract.datasets import Thing
from frostbench.plugins.contract.images import Image, UnreadableError
from frostbench.plugins.contract.predictions import Prediction
from frostbench.plugins.contract.requests import Box, Request


@dataclass(frozen=True, eq=False)
class TrueMasks:
    """One mask a phrase, at the size of the request's image.

    `kinds` says, for each phrase, which groups of phrases it belongs to ("thing", "plural"), for
    metrics that score a group alone; empty where there are no groups.

    Raises:
        ValueError: there are kinds, and not one entry a mask.
    """

    masks: Bool[Tensor, "n h w"]
    kinds: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        if self.kinds and len(self.kinds) != len(self.masks):
            raise ValueError(f"{len(self.masks)} masks have the kinds of {len(self.kinds)}.")


@dataclass(frozen=True)
class TrueAnswer:
    """The accepted answers of a question, and the box in which the answer is seen."""

    texts: tuple[str, ...]
    box: Box


@dataclass(frozen=True, eq=False)
class TrueThings:
    """Everything of the asked classes that an image shows, at the request's size.

    `unasked` are things of classes that the data set has and the request does not name.
    """

    things: tuple[Thing, ...]
    unasked: tuple[Thing, ...] = ()


@dataclass(frozen=True)
class TrueBoxes:
    """One box a phrase, in pixels of the request's image."""

    boxes: tuple[Box, ...]


Target: TypeAlias = str | tuple[str, ...] | Image | TrueMasks | TrueAnswer | TrueThings | TrueBoxes
"""What is right: a text, several accepted answers, the clean image, masks, things, or boxes."""


@dataclass(frozen=True)
class Instance:
    """One request with what the method must not see.

    `protocol` is one of the task's protocols, or None. Samples of one `cluster` share images or an
    episode, and are drawn together when intervals are computed.
    """

    request: Request
    target: Target
    protocol: str | None
    cluster: str


@dataclass(frozen=True)
class Unreadable:
    """A sample whose data cannot be read: it fails in every table row, and the others are run.

    `error` is a sentence that names the file.
    """

    id: str
    protocol: str | None
    error: str


Sample: TypeAlias = Instance | Unreadable
"""What a task gives for each of its samples: an instance, or that its data cannot be read."""


def read_or_not(name: str, protocol: str | None, make: Callable[[], Instance]) -> Sample:
    """The instance that `make` gives, or that its image cannot be read."""
    try:
        return make()
    except UnreadableError as error:
        return Unreadable(name, protocol, str(error))


class Task(ABC):
    """One question asked of many images.

    `settings` is a frozen dataclass with defaults that suit the `mini` pack; the user's
    configuration overrides them by key, and the task is made from it. `data` names the data set
    that `instances` is given. Card and data set are the class's, for the settings' defaults; a
    task whose settings name other protocols or another data set carries its own.
    """

    card: TaskCard
    data: str
    settings: ClassVar[type[Any]]
    asks: ClassVar[tuple[type[Any], ...]] = ()
    """Protocols of data sets, any one of which it can use; empty where only `data` will do."""
    shortened_by: ClassVar[tuple[str, ...]] = ()
    """Names of settings that shorten its prompts, for the error where one is too long."""

    @abstractmethod
    def __init__(self, settings: Any) -> None:
        """Take an object of the class `settings`."""

    @classmethod
    def suited(cls, settings: Any, data: Any) -> Any:
        """The settings with which the task can use a data set that the user names.

        Raises:
            ValueError: there are none; the message says what is missing.
        """
        return settings

    @abstractmethod
    def instances(self, data: Any, limit: int, seed: int) -> Iterator[Sample]:
        """At most `limit` instances for each protocol, the same for the same seed.

        What cannot be read (`read_or_not`) counts as one of them.

        The first n instances do not depend on `limit`, so that a longer run contains a shorter one.
        """

    def controls(self, instances: Sequence[Instance]) -> Mapping[str, Sequence[Prediction]]:
        """Predictions of controls that need no method (copy, chance), one an instance.

        A control that guesses draws from each request's seed.
        """
        return {}

    def corpus(self, data: Any, seed: int) -> Sequence[Target]:
        """References for metrics that weigh words by their rarity (CIDEr-D).

        They do not depend on how many samples are run. Empty where no metric of the task asks.
        """
        return ()
