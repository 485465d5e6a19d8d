"""Scenes made to order: images of which everything is known, and the words about them."""

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

    `mask` is true where it is what one sees; `box` is the box of the mask. `start` and `end` are
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
        """Where something can lie, as it is said: "on the left"."""
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
        """Scenes of another side in pixels, whose things take other parts of it, however many."""
        ...

    def captions(self, names: Sequence[str], places: Sequence[str]) -> tuple[str, ...]:
        """What may be said of such a scene, the scene's own caption first; each once."""
        ...

    def how_many(self, count: int) -> Question:
        """How many things there are."""
        ...

    def is_there(self, name: str, there: bool) -> Question:
        """Whether a class is there."""
        ...

    def what_is(self, where: str, name: str) -> Question:
        """What lies at a place, where `name` does and nothing else."""
        ...

    def where_is(self, name: str, where: str) -> Question:
        """Where the only `name` lies."""
        ...
