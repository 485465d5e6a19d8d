"""Cases: pairs of a clean image and its corrupted version."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from jaxtyping import Bool
from torch import Tensor

from frostbench.eval_suites.restoration.degradations import degraded, varied
from frostbench.plugins.contract.datasets import ClusteredImage, ImagePair, ImageSet
from frostbench.plugins.contract.images import Image
from frostbench.plugins.parts.hiding import hide


@dataclass(frozen=True)
class Case:
    """A clean image, its corrupted version, and which of its pixels are hidden (None: none).

    `id` is its name in the source files; empty where it only has a number.
    """

    clean: Image
    corrupted: Image
    cluster: str
    hidden: Bool[Tensor, "h w"] | None = None
    id: str = ""


MakeCase: TypeAlias = Callable[[int, int, int], Case]
"""Makes a case from a seed and a number of the data set, and a seed for the corruption."""


def hiding(images: ImageSet, hidden_of: Callable[[int, int], Bool[Tensor, "h w"]]) -> MakeCase:
    """Cases with a part of each image mid-grey and `hidden`."""

    def case(seed: int, index: int, own: int) -> Case:
        clean = images.get(seed, index)
        hidden = hidden_of(*clean.image.size)
        image = Image(hide(clean.image.pixels, hidden), f"{clean.image.name} partly hidden")
        return Case(clean.image, image, clean.cluster, hidden)

    return case


def degrading(images: ImageSet, corruption: str, strength: float) -> MakeCase:
    """Cases with each image under a low-level corruption of one strength, drawn by its own seed."""

    def case(seed: int, index: int, own: int) -> Case:
        clean = images.get(seed, index)
        pixels = degraded(corruption, clean.image.pixels, strength, own)
        name = f"{clean.image.name} for {corruption} of {strength:g}"
        return Case(clean.image, Image(pixels, name), clean.cluster)

    return case


def varying(images: ImageSet, corruption: str, variant: str) -> MakeCase:
    """Cases with each image turned or flipped in the same way."""

    def case(seed: int, index: int, own: int) -> Case:
        clean = images.get(seed, index)
        side_of(clean.image)
        pixels = varied(corruption, clean.image.pixels, variant)
        name = f"{clean.image.name} for {corruption} {variant}"
        return Case(clean.image, Image(pixels, name), clean.cluster)

    return case


class CleanImages:
    """The clean images of pairs, as an `ImageSet`."""

    def __init__(self, pairs: Sequence[Any]) -> None:
        self._pairs: Sequence[ImagePair] = pairs

    @property
    def size(self) -> int:
        """How many pairs there are."""
        return len(self._pairs)

    def get(self, seed: int, index: int) -> ClusteredImage:
        """The clean image of pair `index`, whatever the seed."""
        pair = self._pairs[index]
        return ClusteredImage(pair.clean, pair.cluster)


def given(pairs: Sequence[Any]) -> MakeCase:
    """Pairs as they are, whatever the seeds."""

    def case(seed: int, index: int, own: int) -> Case:
        pair = pairs[index]
        return Case(pair.clean, pair.degraded, pair.cluster, id=pair.id)

    return case


def side_of(image: Image) -> int:
    """The side of a square image.

    Raises:
        ValueError: it is not square, so that turned or moved it would not fit its target.
    """
    height, width = image.size
    if height != width:
        raise ValueError(
            f"shift, rotation and flipping need square images; {image.name or 'one'} is "
            f"{height} x {width}."
        )
    return height
