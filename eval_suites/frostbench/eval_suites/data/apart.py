"""Splits a data set into images that are asked and images that serve as examples."""

import contextlib
import random
import sys
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from frostbench.plugins.contract.images import UnreadableError

ENDLESS = range(sys.maxsize)
SHARE = 3  # one image in this many may be an example


def apart(size: int | None, pool: int, needed: int) -> tuple[range, range]:
    """Numbers of the images that are asked, and of those that serve as examples.

    An endless set draws examples from another seed, so that both begin at 0. In a finite set the
    last images are examples: `pool` of them, or a third of a small set, and never fewer than
    `needed`, so that the first ones are asked in their published order.

    >>> apart(None, 8, 2)[1], apart(100, 8, 2), apart(10, 8, 5)
    (range(0, 8), (range(0, 92), range(92, 100)), (range(0, 5), range(5, 10)))

    Raises:
        ValueError: no image is left to be asked.
    """
    if size is None:
        return ENDLESS, range(pool)
    examples = max(needed, min(pool, size // SHARE))
    if size <= examples:
        raise ValueError(
            f"{needed} images serve as examples (task.TASK.examples) and others are asked; "
            f"the data set has {size}, and at least {needed + 1} are needed"
        )
    return range(size - examples), range(size - examples, size)


@runtime_checkable
class Clustered(Protocol):
    """A sample with a cluster, which it shares with other samples of its image."""

    @property
    def cluster(self) -> str:
        """The name of the cluster."""
        ...


S = TypeVar("S", bound=Clustered)


class Examples(Generic[S]):
    """In-context examples from the samples of a finite set.

    Attributes:
        samples: All of them.
        queries: Numbers of those that are asked.

    Raises:
        ValueError: none is left to be asked.
    """

    # `Any`: checking the type of a sample would read it.
    def __init__(self, samples: Sequence[Any], pool: int, needed: int) -> None:
        self.samples: Sequence[S] = samples
        self._needed = needed
        self.queries, self._pool = apart(len(samples), pool, needed)

    @cached_property
    def _shown(self) -> list[S]:
        # Read once: the same few images stand in all prompts.
        shown = []
        for number in self._pool:
            # A sample that cannot be read is no example; the others may suffice.
            with contextlib.suppress(UnreadableError):
                shown.append(self.samples[number])
        return shown

    def of(self, query: S, seed: int) -> list[S]:
        """Examples for a query, drawn from the seed; none is of the query's own image.

        Raises:
            ValueError: there are too few.
        """
        others = [one for one in self._shown if one.cluster != query.cluster]
        if len(others) < self._needed:
            raise ValueError(
                f"{self._needed} examples are drawn from samples of other images, and of the last "
                f"{len(self._shown)} there are {len(others)}; ask for a larger `pool`"
            )
        return random.Random(seed).sample(others, self._needed)
