"""Training data whose samples can be read by number, as those of a user's own data sets."""

from typing import Any, Protocol, runtime_checkable

from frostbench.plugins.contract.datasets import Narrative, ReferredImage
from frostbench.plugins.contract.recipe import (
    GroundedScene,
    GroundedScenes,
    Pairs,
    TrainingImages,
)


@runtime_checkable
class NumberedImages(TrainingImages, Protocol):
    """Training images that can be read by number, as those of a user's own folder."""

    def count(self, split: str) -> int:
        """How many images a split has."""
        ...

    def image(self, split: str, number: int, seed: int) -> Any:
        """Image `number` of a split, `[3, height, width]`, floats in [0, 1].

        The seed may choose which part of it is shown in training.

        Raises:
            ValueError: it cannot be read; the message names it.
        """
        ...


@runtime_checkable
class NumberedPairs(Pairs, Protocol):
    """Training pairs that can be read by number."""

    def count(self, split: str) -> int:
        """How many clean images a split has."""
        ...

    def pair(
        self, corruption: str, split: str, number: int, seed: int, variant: str = ""
    ) -> tuple[Any, Any]:
        """Image `number` of a split, corrupted as the seed says, and clean; see `Pairs.batch`.

        Raises:
            ValueError: it cannot be read; the message names it.
        """
        ...


@runtime_checkable
class NumberedScenes(GroundedScenes, Protocol):
    """Training scenes that can be read by number."""

    def count(self, split: str) -> int:
        """How many scenes a split has; 0 where there is no such split."""
        ...

    def scene(self, split: str, number: int, seed: int) -> GroundedScene:
        """Scene `number` of a split; the seed chooses among several sentences about one thing.

        Raises:
            ValueError: it cannot be read; the message names it.
        """
        ...


@runtime_checkable
class GroundedSet(Protocol):
    """A data set of expressions or narratives that gives any of its images by number."""

    @property
    def size(self) -> int:
        """How many images, or narratives, there are."""
        ...

    def grounded(self, index: int) -> ReferredImage | Narrative:
        """Number `index`, below `size`; the same whenever it is asked for.

        Raises:
            ValueError: it is broken or cannot be read; the message names it.
        """
        ...
