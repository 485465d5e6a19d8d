"""Degraded and clean training images, as features of the frozen masked autoencoder."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from frostbench.baselines.lm4lv.model import task_of
from frostbench.plugins.backbones.mae import MAE
from frostbench.plugins.contract.numbered import NumberedPairs
from frostbench.plugins.contract.recipe import Workshop
from frostbench.plugins.parts.training.pool import SEEDS
from frostbench.plugins.parts.training.processes import cut
from frostbench.plugins.parts.training.stream import SampleStream


@dataclass(frozen=True, eq=False)
class FeaturePairs:
    """Degraded and clean images as features, and the row of each one's task."""

    degraded: Float[Tensor, "b n d"]
    clean: Float[Tensor, "b n d"]
    tasks: Int[Tensor, " b"]

    def __len__(self) -> int:
        return len(self.tasks)

    def __getitem__(self, rows: slice) -> "FeaturePairs":
        return FeaturePairs(self.degraded[rows], self.clean[rows], self.tasks[rows])


@dataclass(frozen=True)
class _Reader:
    """Reads numbered pairs, `each` of them for one task after another."""

    pairs: NumberedPairs
    tasks: tuple[str, ...]
    split: str
    each: int
    first: int

    def __call__(self, number: int, place: int) -> tuple[Tensor, Tensor]:
        row = place % (self.each * len(self.tasks)) // self.each
        corruption, _, variant = self.tasks[row].partition("/")
        seed = self.first + place
        before, after = self.pairs.pair(corruption, self.split, number, seed, variant)
        return torch.as_tensor(before), torch.as_tensor(after)


class FeaturePool:
    """The batch of each step: batch `step % batches`, with equally many pairs of every task.

    What a step gets depends on the step and the workshop's seed alone. Features are kept in half
    precision. Pairs of a user's own set are streamed as `SampleStream` says, and none is kept;
    `batches` is then at most what the set has.

    Raises:
        ValueError: the workshop has no pairs.
    """

    def __init__(
        self,
        workshop: Workshop,
        mae: MAE,
        tasks: Sequence[str],
        split: str,
        each: int,
        batches: int,
    ) -> None:
        self._pairs, self._mae, self._split = workshop.data.get("pairs"), mae, split
        self._tasks, self._each, self._batches = tasks, each, batches
        self._first = workshop.seed * SEEDS
        self._kept: dict[int, FeaturePairs] = {}
        self._stream: SampleStream[tuple[Tensor, Tensor]] | None = None
        if isinstance(self._pairs, NumberedPairs):
            count, size = self._pairs.count(split), each * len(tasks)
            self._batches = min(batches, max(1, count // size))
            reader = _Reader(self._pairs, tuple(tasks), split, each, self._first)
            self._stream = SampleStream(workshop, count, size, reader)

    def __len__(self) -> int:
        return self._batches

    def __call__(self, step: int) -> FeaturePairs:
        """The pairs of a step, in float32."""
        if self._stream is not None:
            return self._encoded(self._stream(step), range(self._stream.size))
        index = step % self._batches
        if index not in self._kept:
            self._kept[index] = self._drawn(index)
        kept = self._kept[index]
        return FeaturePairs(kept.degraded.float(), kept.clean.float(), kept.tasks)

    def part(self, step: int, number: int, parts: int) -> FeaturePairs:
        """Part `number` of the pairs of a step, of so many equal ones."""
        if self._stream is None:
            whole: FeaturePairs = cut(self(step), number, parts)
            return whole
        rows = cut(range(self._stream.size), number, parts)
        return self._encoded(self._stream.part(step, number, parts), rows)

    def _encoded(self, read: Sequence[tuple[Tensor, Tensor]], rows: range) -> FeaturePairs:
        degraded, clean = (
            self._mae.encode(torch.stack(images)).float() for images in zip(*read, strict=True)
        )
        tasks = torch.tensor([row // self._each for row in rows], device=self._mae.device)
        return FeaturePairs(degraded, clean, tasks)

    def _drawn(self, index: int) -> FeaturePairs:
        degraded, clean, rows = [], [], []
        for row, task in enumerate(self._tasks):
            corruption, _, variant = task.partition("/")
            seed = self._first + index * len(self._tasks) + row
            before, after = self._pairs.batch(corruption, self._split, self._each, seed, variant)
            degraded.append(self._mae.encode(before).half())
            clean.append(self._mae.encode(after).half())
            rows += [row] * len(before)
        tasks = torch.tensor(rows, device=self._mae.device)
        return FeaturePairs(torch.cat(degraded), torch.cat(clean), tasks)


def tasks_of(workshop: Workshop, corruptions: Sequence[str]) -> tuple[str, ...]:
    """The tasks of some corruptions: one for each, or one for each variant that a method is told.

    Raises:
        ValueError: the workshop has no pairs.
        LookupError: there is no such corruption.
    """
    pairs = workshop.data.get("pairs")
    return tuple(
        task_of(corruption, variant)
        for corruption in corruptions
        for variant in pairs.variants(corruption)
    )
