"""What steps need, made ahead by worker processes."""

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from torch.utils.data import DataLoader, Dataset

M = TypeVar("M")


class Ahead(Generic[M]):
    """What each step needs: `make(step)`, which depends on the step alone and uses no accelerator.

    `workers` make it ahead for the steps up to `stop`, if steps follow one another; with none it is
    made when it is asked for.
    """

    def __init__(self, make: Callable[[int], M], workers: int, stop: int) -> None:
        self._made, self._workers, self._stop = _Made(make), workers, stop
        self._coming: Iterator[M] | None = None
        self._next = -1

    def __call__(self, step: int) -> M:
        """What a step needs."""
        if not self._workers:
            return self._made[step]
        if self._coming is None or self._next != step:
            steps: Any = range(step, self._stop)
            self._coming = iter(
                DataLoader(
                    self._made,
                    batch_size=None,
                    sampler=steps,
                    num_workers=self._workers,
                    collate_fn=_as_it_is,
                    multiprocessing_context="fork",  # functions and caches cannot be sent
                )
            )
        self._next = step + 1
        return next(self._coming)


class _Made(Dataset[M]):
    def __init__(self, make: Callable[[int], M]) -> None:
        self._make = make

    def __getitem__(self, step: int) -> M:
        return self._make(step)


def _as_it_is(made: M) -> M:
    return made
