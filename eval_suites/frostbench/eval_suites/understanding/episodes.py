"""Episodes of few-shot classification, and where they come from."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.requests import LabelledImage
from frostbench.plugins.contract.seeds import seed_of


@dataclass(frozen=True)
class Episode:
    """Labelled examples in the order in which they are shown, and a query of their classes."""

    id: str
    examples: tuple[LabelledImage, ...]
    query: Image
    label: str

    @property
    def options(self) -> tuple[str, ...]:
        """The classes, sorted: their order tells nothing of the query."""
        return tuple(sorted({example.text for example in self.examples}))


@runtime_checkable
class EpisodeSource(Protocol):
    """A data set that gives episodes."""

    def episodes(self, ways: int, shots: int, seed: int) -> Iterator[Episode]:
        """Episodes in a fixed order; drawn ones have no end, those of a file do.

        Raises:
            ValueError: there are none of that kind, or the data are broken.
        """
        ...


@runtime_checkable
class Portraits(Protocol):
    """Images by class, rendered on demand, of classes on which nothing was trained."""

    @property
    def names(self) -> tuple[str, ...]:
        """The classes, no two of one name."""
        ...

    def family(self, name: str) -> int:
        """The number of a class's family; classes of one family look or are called alike."""
        ...

    def portrait(self, name: str, number: int) -> Image:
        """Image `number` of a class; the same whenever it is asked for."""
        ...


class DrawnEpisodes:
    """Episodes drawn from portraits, `images` of each class.

    The classes of an episode are of different families, so that each can be told by what it shows.
    Episode `i` depends on the seed, ways, shots and `i` alone; the query's class is uniform, and
    its image is none of the examples.
    """

    def __init__(self, portraits: Portraits, images: int) -> None:
        self._portraits = portraits
        self._images = images
        self._members: dict[int, list[str]] = {}
        for name in sorted(portraits.names):
            self._members.setdefault(portraits.family(name), []).append(name)

    def episodes(self, ways: int, shots: int, seed: int) -> Iterator[Episode]:
        """Episodes without end; see `EpisodeSource`."""
        if len(self._members) < ways:
            raise ValueError(
                f"{ways}-way episodes need as many families of classes; there are "
                f"{len(self._members)}."
            )
        index = 0
        while True:
            source = random.Random(seed_of(seed, "episode", ways, shots, index))
            yield self._draw(f"{ways}-way-{shots}-shot-{index:05d}", ways, shots, source)
            index += 1

    def _draw(self, name: str, ways: int, shots: int, source: random.Random) -> Episode:
        families = source.sample(sorted(self._members), ways)
        classes = [source.choice(self._members[family]) for family in families]
        asked = source.randrange(ways)
        examples: list[LabelledImage] = []
        query: Image | None = None
        for place, label in enumerate(classes):
            drawn = source.sample(range(self._images), shots + (place == asked))
            images = [self._portraits.portrait(label, number) for number in drawn]
            if place == asked:
                query = images.pop()
            examples += [LabelledImage(image, label) for image in images]
        assert query is not None
        source.shuffle(examples)
        return Episode(name, tuple(examples), query, classes[asked])
