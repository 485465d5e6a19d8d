"""Training pairs of the low-level corruptions: `frostbench.plugins.contract.recipe.Pairs`."""

import random
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from frostbench.eval_suites.restoration.degradations import degraded, varied
from frostbench.eval_suites.restoration.strengths import STRENGTHS, VARIANTS, check_corruption
from frostbench.plugins.contract.numbered import NumberedImages
from frostbench.plugins.contract.recipe import TrainingImages, Workshop
from frostbench.plugins.contract.seeds import seed_of


class TrainingPairs:
    """Images of a pack before and after a corruption, with strengths between those of the tasks."""

    def __init__(self, images: TrainingImages) -> None:
        self._images = images

    def variants(self, corruption: str) -> Sequence[str]:
        """The variants of a corruption that a method is told; see `VARIANTS`.

        Raises:
            LookupError: there is no such corruption.
        """
        check_corruption(corruption)
        return tuple(VARIANTS.get(corruption, {"": ""}).values())

    def batch(
        self, corruption: str, split: str, count: int, seed: int, variant: str = ""
    ) -> tuple[Float[Tensor, "{count} 3 h w"], Float[Tensor, "{count} 3 h w"]]:
        """`count` images of a split, corrupted and clean, floats in [0, 1].

        Each image's strength is drawn evenly between the mildest and the most severe. The same
        arguments give the same pairs; the clean images are those of the split and the seed.

        Raises:
            LookupError: there is no such corruption or split, or the corruption has no such
                variant.
        """
        check_corruption(corruption)
        clean: Float[Tensor, "{count} 3 h w"] = self._images.batch(split, count, seed)
        corrupted = [
            _corrupted(
                corruption,
                pixels,
                variant,
                seed_of("training pair", corruption, split, seed, index),
            )
            for index, pixels in enumerate(clean)
        ]
        return torch.stack(corrupted), clean


class NumberedTrainingPairs(TrainingPairs):
    """The same, from images that can be read by number."""

    def __init__(self, images: NumberedImages) -> None:
        super().__init__(images)
        self._numbered = images

    def count(self, split: str) -> int:
        """How many images a split has."""
        return self._numbered.count(split)

    def pair(
        self, corruption: str, split: str, number: int, seed: int, variant: str = ""
    ) -> tuple[Float[Tensor, "3 h w"], Float[Tensor, "3 h w"]]:
        """An image, corrupted and clean; see `batch`.

        Raises:
            LookupError: there is no such corruption, or it has no such variant.
            ValueError: the image cannot be read.
        """
        check_corruption(corruption)
        clean: Float[Tensor, "3 h w"] = self._numbered.image(split, number, seed)
        own = seed_of("training pair", corruption, split, seed, number)
        return _corrupted(corruption, clean, variant, own), clean


def _corrupted(
    corruption: str, clean: Float[Tensor, "3 h w"], variant: str, seed: int
) -> Float[Tensor, "3 h w"]:
    if corruption in VARIANTS:
        return varied(corruption, clean, variant)
    if variant:
        raise LookupError(f"{corruption} has no variant {variant!r}; it has strengths instead.")
    strengths = STRENGTHS[corruption]
    strength = random.Random(seed).uniform(min(strengths), max(strengths))
    return degraded(corruption, clean, strength, seed)


def of_workshop(workshop: Workshop) -> TrainingPairs:
    """Pairs of the workshop's training images."""
    images = workshop.data.get("images")
    if isinstance(images, NumberedImages):
        return NumberedTrainingPairs(images)
    return TrainingPairs(images)
