"""Scenes made to order: images in which everything is known, with the texts about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from jaxtyping import Bool
from torch import Tensor

from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.requests import Box


@dataclass(frozen=True, eq=False)
class Placed:
    """One thing in a scene.

    `mask` is true where the thing is visible; `box` is the box of the mask. `start` and `end` are
    its phrase's characters in the caption.
    """

    name: str
    place: str
    mask: Bool[Tensor, "h w"]
    box: Box
    start: int
    end: int


@dataclass(frozen=True, eq=False)
class Scene:
    """An image with its caption and what it shows, in the order of the caption."""

    image: Image
    caption: str
    placed: tuple[Placed, ...]


@dataclass(frozen=True)
class Question:
    """A question about a scene, and the answers that are right."""

    kind: Literal["what", "how many", "where", "whether"]
    text: str
    answers: tuple[str, ...]


@runtime_checkable
class SceneSet(Protocol):
    """Scenes made to order; the same for the same order.

    Whether anything was trained on the classes is for the data set to say. The set words its scenes
    itself: captions, and questions with their answers.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """The classes, no two of one name."""
        ...

    @property
    def places(self) -> tuple[str, ...]:
        """Where something can lie, in words: "on the left"."""
        ...

    def family(self, name: str) -> int:
        """The number of a class's family; classes of one family look or are called alike."""
        ...

    def get(self, seed: int, index: int, count: int | None = None) -> Scene:
        """Scene `index` of a seed, of `count` things (drawn if None)."""
        ...

    def of(self, names: Sequence[str], places: Sequence[str], seed: int, index: int) -> Scene:
        """Scene `index` of a seed, of given classes at given places."""
        ...

    def resized(self, side: int, sizes: tuple[float, float]) -> "SceneSet":
        """Scenes of another side in pixels, whose things take other shares of it."""
        ...

    def captions(self, names: Sequence[str], places: Sequence[str]) -> tuple[str, ...]:
        """Captions that fit such a scene, the scene's own first; each once."""
        ...

    def how_many(self, count: int) -> Question:
        """The question how many things there are."""
        ...

    def is_there(self, name: str, there: bool) -> Question:
        """The question whether a class is there."""
        ...

    def what_is(self, where: str, name: str) -> Question:
        """The question what lies at a place, where `name` does and nothing else."""
        ...

    def where_is(self, name: str, where: str) -> Question:
        """The question where the only `name` lies."""
        ...
