"""A user's own samples as batches: each once a round, read ahead by workers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

from frostbench.plugins.contract.recipe import Workshop
from frostbench.plugins.parts.training.processes import cut

S = TypeVar("S")


class SampleStream(Generic[S]):
    """The samples of each step: sample i of step s is chosen by the seed, s and i alone.

    Rounds go through all `count` samples, each in an order of its own. `read(number, place)` reads
    sample `number`; `place` counts samples since the beginning and seeds what is drawn for it.
    Workers read ahead what this process needs next, if steps follow one another.

    Raises:
        ValueError: there are no samples.
    """

    def __init__(
        self, workshop: Workshop, count: int, size: int, read: Callable[[int, int], S]
    ) -> None:
        if count < 1:
            raise ValueError("there are no samples to train on, or to measure on.")
        self.size, self._workers = size, workshop.workers
        # Neither of these may refer to the stream: workers end when it is freed, which a cycle
        # would delay.
        self._order, self._reader = _Order(count, size, workshop.seed), _Reader(read)
        self._coming: Iterator[list[S]] | None = None
        self._next = (-1, 0, 0)

    def __call__(self, step: int) -> list[S]:
        """All samples of a step."""
        return [_made(self._reader[place]) for place in self._order.places(step, 0, 1)]

    def part(self, step: int, number: int, parts: int) -> list[S]:
        """Part `number` of the samples of a step, of so many equal ones; see `cut`."""
        if self._coming is None or self._next != (step, number, parts):
            loader = DataLoader(
                self._reader,
                batch_sampler=_Ahead(self._order, step, number, parts),
                num_workers=self._workers,
                collate_fn=list,
            )
            self._coming = map(_all_made, loader)
        self._next = (step + 1, number, parts)
        return next(self._coming)


ROUNDS = 1_000_003  # distance between the orders of two trainings with neighbouring seeds


class _Order:
    """Which sample stands at which place."""

    def __init__(self, count: int, size: int, seed: int) -> None:
        self._count, self._size, self._seed = count, size, seed
        self._round: tuple[int, torch.Tensor] | None = None

    def places(self, step: int, number: int, parts: int) -> list[tuple[int, int]]:
        """The samples of a part of a step, and the places they stand at."""
        found = []
        for place in cut(range(step * self._size, (step + 1) * self._size), number, parts):
            round_, index = divmod(place, self._count)
            if self._round is None or self._round[0] != round_:
                draw = torch.Generator().manual_seed(self._seed * ROUNDS + round_)
                self._round = round_, torch.randperm(self._count, generator=draw)
            found.append((int(self._round[1][index]), place))
        return found


@dataclass(frozen=True)
class _Ahead:
    """The samples of a step and of all that follow it, without end."""

    order: _Order
    step: int
    number: int
    parts: int

    def __iter__(self) -> Iterator[list[Any]]:
        step = self.step
        while True:
            yield self.order.places(step, self.number, self.parts)
            step += 1


@dataclass(frozen=True)
class _Unreadable:
    """What is wrong with a sample; raised in a worker, it would carry the worker's tracebacks."""

    why: str


class _Reader(Dataset[Any]):
    def __init__(self, read: Callable[[int, int], Any]) -> None:
        self._read = read

    def __getitem__(self, at: tuple[int, int]) -> Any:
        try:
            return self._read(*at)
        except (ValueError, LookupError) as error:
            return _Unreadable(str(error))


def _made(sample: Any) -> Any:
    """A sample that could be read.

    Raises:
        ValueError: it could not be read.
    """
    if isinstance(sample, _Unreadable):
        raise ValueError(f"a training cannot go on without an image: {sample.why}")
    return sample


def _all_made(samples: list[Any]) -> list[Any]:
    return [_made(sample) for sample in samples]
