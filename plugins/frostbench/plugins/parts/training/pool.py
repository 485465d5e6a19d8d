"""Training images of a recipe, drawn once and gone through again and again."""

from collections.abc import Iterator
from functools import partial

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from frostbench.plugins.contract.numbered import NumberedImages
from frostbench.plugins.contract.recipe import Workshop
from frostbench.plugins.parts.training.processes import cut
from frostbench.plugins.parts.training.stream import SampleStream

SEEDS = 1_000_003  # distance between the images of two trainings with neighbouring seeds


class Pool:
    """The batch of each step, in [-1, 1]: batch `step % batches`, mirrored every other round.

    Images are drawn when they are first needed, and kept with 8 bits a channel. What a step
    gets depends on the step and the workshop's seed alone. Images of a user's own set are neither
    drawn, kept nor mirrored, but streamed as `SampleStream` says; `batches` then limits iteration,
    and is never more than the set has.

    Raises:
        ValueError: the workshop has no images.
    """

    def __init__(self, workshop: Workshop, split: str, size: int, batches: int) -> None:
        self._images, self._split = workshop.data.get("images"), split
        self._first = workshop.seed * SEEDS
        self._device = workshop.device
        self.size, self.batches = size, batches
        self._kept: dict[int, UInt8[Tensor, "b 3 h w"]] = {}
        self._stream: SampleStream[UInt8[Tensor, "3 h w"]] | None = None
        if isinstance(self._images, NumberedImages):
            count = self._images.count(split)
            self.batches = min(batches, max(1, count // size))
            self.size = size if split == "base" else min(size, count)
            self._stream = SampleStream(
                workshop, count, self.size, partial(_bytes_of, self._images, split)
            )

    def __iter__(self) -> Iterator[Float[Tensor, "b 3 h w"]]:
        """Every batch once, in order."""
        return (self.part(index, 0, 1) for index in range(self.batches))

    def __call__(self, step: int) -> Float[Tensor, "b 3 h w"]:
        """The images of a step."""
        if self._stream is not None:
            return self._shown(torch.stack(self._stream(step)))
        round_, index = divmod(step, self.batches)
        if index not in self._kept:
            drawn = self._images.batch(self._split, self.size, self._first + index)
            floats = torch.as_tensor(drawn, dtype=torch.float32)
            self._kept[index] = (floats * 255).round().to(torch.uint8)
        images = self._shown(self._kept[index])
        return images.flip(3) if round_ % 2 else images

    def part(self, step: int, number: int, parts: int) -> Float[Tensor, "b 3 h w"]:
        """Part `number` of the images of a step, of so many equal ones."""
        if self._stream is not None:
            return self._shown(torch.stack(self._stream.part(step, number, parts)))
        whole: Tensor = cut(self(step), number, parts)
        return whole

    def _shown(self, images: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        return images.to(self._device).float() / 127.5 - 1


def _bytes_of(
    images: NumberedImages, split: str, number: int, place: int
) -> UInt8[Tensor, "3 h w"]:
    pixels: Tensor = images.image(split, number, place)
    return (pixels * 255).round().to(torch.uint8)
