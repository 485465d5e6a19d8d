"""The control `shuffled_tokens`: every image with the visual tokens of another."""

import random
from collections.abc import Sequence

from frostbench.plugins.contract.images import Image


def exchange(images: Sequence[Image], seed: int) -> dict[Image, Image]:
    """For each image, another one of the same size whose visual tokens it gets.

    Images of one size form one random cycle (Sattolo's algorithm), so that none keeps its own
    and each gives its tokens once. What comes out depends on the set of images and on `seed`,
    not on their order. Hand over *all* images of a task: exchanged within one episode alone,
    tokens would still tell its classes apart.

    Raises:
        ValueError: an image is the only one of its size.
    """
    groups: dict[tuple[int, int], list[Image]] = {}
    for image in sorted(set(images), key=lambda image: image.digest):
        groups.setdefault(image.size, []).append(image)
    donors: dict[Image, Image] = {}
    for size, group in sorted(groups.items()):
        if len(group) == 1:
            raise ValueError(
                f"only one image of {size[0]} x {size[1]} pixels ({group[0].name or 'no name'}): "
                "there is none to exchange visual tokens with; run more samples."
            )
        cycle = list(group)
        source = random.Random(f"{seed} {size}")
        for last in range(len(cycle) - 1, 0, -1):
            other = source.randrange(last)
            cycle[last], cycle[other] = cycle[other], cycle[last]
        donors.update(zip(group, cycle, strict=True))
    return donors
