"""Training pairs of the low-level corruptions: `frostbench.plugins.contract.recipe.Pairs`."""

import random
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from frostbench.eval_suites.restoration.degradations import degraded, varied
from frostbench.eval_suites.restoration.strengths import STRENGTHS, VARIANTS, check_corruption
from frostbench.plugins.contract.recipe import TrainingImages, Workshop
from frostbench.plugins.contract.seeds import seed_of


class TrainingPairs:
    """Images of a pack before and after a corruption, of strengths between the tasks' own."""

    def __init__(self, images: TrainingImages) -> None:
        self._images = images

    def variants(self, corruption: str) -> Sequence[str]:
        """The ways of doing a corruption that a method is told; see `VARIANTS`.

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
        if corruption in VARIANTS:
            return torch.stack([varied(corruption, pixels, variant) for pixels in clean]), clean
        if variant:
            raise LookupError(f"{corruption} has no variant {variant!r}; it has strengths instead.")
        strengths = STRENGTHS[corruption]
        corrupted = []
        for index, pixels in enumerate(clean):
            own = seed_of("training pair", corruption, split, seed, index)
            strength = random.Random(own).uniform(min(strengths), max(strengths))
            corrupted.append(degraded(corruption, pixels, strength, own))
        return torch.stack(corrupted), clean


def of_workshop(workshop: Workshop) -> TrainingPairs:
    """Pairs of the workshop's training images."""
    return TrainingPairs(workshop.data.get("images"))
