"""Episodes of few-shot classification, drawn from images by class."""

import random
from collections.abc import Iterator

from frostbench.plugins.contract.datasets import Episode, LabelSet
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.requests import LabelledImage
from frostbench.plugins.contract.seeds import seed_of


class DrawnEpisodes:
    """Episodes drawn from portraits, `images` of each class.

    The classes of an episode are of different families, so that each can be told by what it shows.
    Episode `i` depends on the seed, ways, shots and `i` alone; the query's class is uniform, and
    its image is none of the examples.
    """

    def __init__(self, portraits: LabelSet, images: int) -> None:
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
