"""Training images of a recipe, drawn once and gone through again and again."""

from collections.abc import Iterator
from functools import partial

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from frostbench.plugins.contract.numbered import NumberedImages
from frostbench.plugins.contract.recipe import TrainingImages, Workshop
from frostbench.plugins.parts.training.ahead import Ahead
from frostbench.plugins.parts.training.processes import cut
from frostbench.plugins.parts.training.stream import SampleStream

SEEDS = 1_000_003  # distance between the images of two trainings with neighbouring seeds


class Pool:
    """The batch of each step, in [-1, 1]: batch `step % batches`, mirrored every other round.

    Images are drawn when they are first needed, by the workshop's workers if it has some, and kept
    with 8 bits a channel. What a step gets depends on the step and the workshop's seed alone.
    Images of a user's own set are neither drawn, kept nor mirrored, but streamed as `SampleStream`
    says; `batches` then limits iteration, and is never more than the set has.

    Raises:
        ValueError: the workshop has no images.
    """

    def __init__(self, workshop: Workshop, split: str, size: int, batches: int) -> None:
        images = workshop.data.get("images")
        self._device = workshop.device
        self.size, self.batches = size, batches
        self._kept: dict[int, UInt8[Tensor, "b 3 h w"]] = {}
        draw = partial(_drawn, images, split, size, workshop.seed * SEEDS)
        self._draw = Ahead(draw, workshop.workers, batches)
        self._stream: SampleStream[UInt8[Tensor, "3 h w"]] | None = None
        if isinstance(images, NumberedImages):
            count = images.count(split)
            self.batches = min(batches, max(1, count // size))
            self.size = size if split == "base" else min(size, count)
            self._stream = SampleStream(
                workshop, count, self.size, partial(_bytes_of, images, split)
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
            self._kept[index] = self._draw(index)
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


def _drawn(
    images: TrainingImages, split: str, size: int, first: int, index: int
) -> UInt8[Tensor, "b 3 h w"]:
    floats = torch.as_tensor(images.batch(split, size, first + index), dtype=torch.float32)
    return (floats * 255).round().to(torch.uint8)


def _bytes_of(
    images: NumberedImages, split: str, number: int, place: int
) -> UInt8[Tensor, "3 h w"]:
    pixels: Tensor = images.image(split, number, place)
    return (pixels * 255).round().to(torch.uint8)
