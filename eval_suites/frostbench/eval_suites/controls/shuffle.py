"""The control `shuffled_tokens`: every image with the visual tokens of another."""

import random
from collections.abc import Sequence

import torch

from frostbench.plugins.contract.images import Image


def exchange(images: Sequence[Image], seed: int) -> dict[Image, Image]:
    """For each image, another image whose visual tokens it gets: of the same size, if there is one.

    Images of one size form one random cycle (Sattolo's algorithm), so that none keeps its own
    and each gives its tokens once; so do those that are alone in their size, as whole photographs
    often are. The result depends on the set of images and on `seed`, not on their order. Pass *all*
    images of a task: exchanged within one episode alone, tokens would still tell its classes apart.

    Raises:
        ValueError: there is only one image.
    """
    donors: dict[Image, Image] = {}
    for size, group in sorted(_groups(images).items()):
        cycle = list(group)
        source = random.Random(f"{seed} {size}")
        for last in range(len(cycle) - 1, 0, -1):
            other = source.randrange(last)
            cycle[last], cycle[other] = cycle[other], cycle[last]
        donors.update(zip(group, cycle, strict=True))
    return donors


def other_images(images: Sequence[Image], seed: int) -> dict[Image, Image]:
    """For each image, another image to be asked about, resized to the same size.

    Masks and boxes that are found in it then lie within the asked image, and can be scored.

    Raises:
        ValueError: there is only one image.
    """
    donors = exchange(images, seed)
    return {image: _at_size(other, image.size) for image, other in donors.items()}


def _at_size(image: Image, size: tuple[int, int]) -> Image:
    if image.size == size:
        return image
    pixels = torch.nn.functional.interpolate(
        image.pixels[None], size, mode="bilinear", antialias=True, align_corners=False
    )
    return Image(pixels[0].clamp(0, 1), f"{image.name}, resized")


def _groups(images: Sequence[Image]) -> dict[tuple[int, int], list[Image]]:
    """Images that exchange tokens, by the size of one of them; none is alone."""
    sizes: dict[tuple[int, int], list[Image]] = {}
    for image in sorted(set(images), key=lambda image: image.digest):
        sizes.setdefault(image.size, []).append(image)
    groups = {size: group for size, group in sizes.items() if len(group) > 1}
    single = [group[0] for group in sizes.values() if len(group) == 1]
    if len(single) > 1:
        groups[single[0].size] = single
    elif single and groups:
        height, width = single[0].size
        nearest = min(groups, key=lambda size: (abs(size[0] * size[1] - height * width), size))
        groups[nearest] += single
    elif single:
        raise ValueError(
            f"there is only one image ({single[0].name or 'no name'}), and none to exchange visual "
            "tokens with; run more samples."
        )
    return groups
