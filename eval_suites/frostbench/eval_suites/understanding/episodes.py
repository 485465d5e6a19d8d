"""Episodes of few-shot classification, drawn from images by class."""

import random
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import count

from frostbench.eval_suites.data.sound import OneByOne
from frostbench.plugins.contract.datasets import Episode, LabelSet
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.requests import LabelledImage
from frostbench.plugins.contract.seeds import seed_of


class DrawnEpisodes:
    """Episodes drawn from images by class: all images of a class, or `images` of an endless one.

    The classes of an episode are of different families, so that each can be told by what it shows.
    Episode `i` depends on the seed, ways, shots and `i` alone; the query's class is uniform, and
    its image is none of the examples.
    """

    def __init__(self, portraits: LabelSet, images: int) -> None:
        self._portraits = portraits
        counts = {name: portraits.count(name) for name in portraits.names}
        self._counts = {name: images if of is None else of for name, of in counts.items()}

    def episodes(self, ways: int, shots: int, seed: int) -> Iterator[Episode]:
        """Episodes without end; see `EpisodeSource`."""
        members = self.members(ways, shots)
        return OneByOne(partial(self._draw, index, members, ways, shots, seed) for index in count())

    def members(self, ways: int, shots: int) -> Mapping[int, Sequence[str]]:
        """The classes that have enough images, by family.

        Raises:
            ValueError: there are fewer families than ways.
        """
        members: dict[int, list[str]] = {}
        for name, images in sorted(self._counts.items()):
            if images > shots:
                members.setdefault(self._portraits.family(name), []).append(name)
        if len(members) < ways:
            raise ValueError(
                f"{ways}-way {shots}-shot episodes need {ways} families of classes of "
                f"{shots + 1} images or more; there are {len(members)}"
            )
        return members

    def _draw(
        self,
        index: int,
        members: Mapping[int, Sequence[str]],
        ways: int,
        shots: int,
        seed: int,
    ) -> Episode:
        source = random.Random(seed_of(seed, "episode", ways, shots, index))
        families = source.sample(sorted(members), ways)
        classes = [source.choice(members[family]) for family in families]
        asked = source.randrange(ways)
        examples: list[LabelledImage] = []
        query: Image | None = None
        for place, label in enumerate(classes):
            drawn = source.sample(range(self._counts[label]), shots + (place == asked))
            images = [self._portraits.portrait(label, number) for number in drawn]
            if place == asked:
                query = images.pop()
            examples += [LabelledImage(image, label) for image in images]
        assert query is not None
        source.shuffle(examples)
        name = f"{ways}-way-{shots}-shot-{index:05d}"
        return Episode(name, tuple(examples), query, classes[asked])
