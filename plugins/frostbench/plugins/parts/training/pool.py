"""Training images of a recipe, drawn once and gone through again and again."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from frostbench.plugins.contract.recipe import Workshop

SEEDS = 1_000_003  # between the images of two trainings with neighbouring seeds


class Pool:
    """The batch of each step, in [-1, 1]: batch `step % batches`, mirrored every other round.

    Images are drawn when they are first needed, and kept with 8 bits a channel. What a step
    gets depends on the step and the workshop's seed alone.

    Raises:
        ValueError: the workshop has no images.
    """

    def __init__(self, workshop: Workshop, split: str, size: int, batches: int) -> None:
        if workshop.pictures is None:
            raise ValueError("this recipe is trained on images, and the workshop has none.")
        self._images, self._split = workshop.pictures, split
        self._first = workshop.seed * SEEDS
        self._device = workshop.device
        self.size, self.batches = size, batches
        self._kept: dict[int, UInt8[Tensor, "b 3 h w"]] = {}

    def __iter__(self) -> Iterator[Float[Tensor, "b 3 h w"]]:
        """Every batch once, in order."""
        return map(self, range(self.batches))

    def __call__(self, step: int) -> Float[Tensor, "b 3 h w"]:
        """The images of a step."""
        round_, index = divmod(step, self.batches)
        if index not in self._kept:
            drawn = self._images.batch(self._split, self.size, self._first + index)
            floats = torch.as_tensor(drawn, dtype=torch.float32)
            self._kept[index] = (floats * 255).round().to(torch.uint8)
        images = self._kept[index].to(self._device).float() / 127.5 - 1
        return images.flip(3) if round_ % 2 else images
