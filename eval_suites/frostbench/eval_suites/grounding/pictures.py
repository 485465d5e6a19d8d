"""What the suite's data sets give: images with expressions, narratives and questions."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Bool
from torch import Tensor

from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.requests import Box, Span


@dataclass(frozen=True, eq=False)
class Referent:
    """Something in an image: its mask, and one or more sentences that each mean it alone."""

    id: str
    sentences: tuple[str, ...]
    mask: Bool[Tensor, "h w"]


@dataclass(frozen=True, eq=False)
class ReferredImage:
    """An image with all its referents."""

    id: str
    image: Image
    referents: tuple[Referent, ...]


@dataclass(frozen=True, eq=False)
class Narrative:
    """A text about an image, the spans of its phrases, and a mask and kinds for each of them."""

    id: str
    image: Image
    text: str
    phrases: tuple[Span, ...]
    masks: Bool[Tensor, "n h w"]
    kinds: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, eq=False)
class YesNoQuestion:
    """A question about an image that yes or no answers; questions share images."""

    id: str
    image: Image
    text: str
    yes: bool
    picture: str


@dataclass(frozen=True, eq=False)
class DetailQuestion:
    """A question about a detail: what answers it, and the box that it is seen in."""

    id: str
    image: Image
    text: str
    answers: tuple[str, ...]
    box: Box
    picture: str


@runtime_checkable
class ReferringSource(Protocol):
    """A data set of expressions."""

    def referred(self, seed: int) -> Iterator[ReferredImage]:
        """Images in a fixed order; drawn ones have no end, those of files do.

        Raises:
            ValueError: the data are broken; the message says where.
        """
        ...


@runtime_checkable
class NarrativeSource(Protocol):
    """A data set of narratives."""

    def narratives(self, seed: int) -> Iterator[Narrative]:
        """Narratives in a fixed order; see `ReferringSource`."""
        ...


@runtime_checkable
class YesNoSource(Protocol):
    """A data set of questions by yes and no."""

    def questions(self, protocol: str, seed: int) -> Iterator[YesNoQuestion]:
        """The questions of one of POPE's protocols in a fixed order; see `ReferringSource`."""
        ...


@runtime_checkable
class DetailSource(Protocol):
    """A data set of questions about details."""

    def details(self, seed: int) -> Iterator[DetailQuestion]:
        """Questions in a fixed order; see `ReferringSource`."""
        ...
