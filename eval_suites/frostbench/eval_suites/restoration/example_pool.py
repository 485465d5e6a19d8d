"""Which images serve as examples of a restoration, and which are asked."""

import contextlib
import random
from collections.abc import Sequence
from functools import cached_property

from frostbench.eval_suites.data.apart import apart
from frostbench.plugins.contract.datasets import ImageSet
from frostbench.plugins.contract.images import UnreadableError
from frostbench.plugins.contract.seeds import seed_of


class ExamplePool:
    """A pool of example images for `held_out_context`; none of them is ever a query.

    The pool is small, so that its images' visual tokens are computed once. An endless set draws it
    with another seed; in a finite set it is the last images.

    Attributes:
        queries: Numbers of the images that are asked.

    Raises:
        ValueError: a finite set has no image left to ask.
    """

    def __init__(self, images: ImageSet, pool: int, needed: int, seed: int) -> None:
        self.seed = seed_of(seed, "examples")
        self._images = images
        self.queries: Sequence[int]
        self.queries, self._pool = apart(images.size, pool, needed)

    @cached_property
    def _clusters(self) -> dict[int, str]:
        clusters = {}
        for number in self._pool:
            # An image that cannot be read is no example; the others may suffice.
            with contextlib.suppress(UnreadableError):
                clusters[number] = self._images.get(self.seed, number).cluster
        return clusters

    def choose(self, cluster: str, count: int, seed: int) -> list[int]:
        """Numbers of `count` images of other clusters than the query's, drawn from the seed.

        An example that shows the query's own photograph could give the answer away.

        Raises:
            ValueError: the pool has too few.
        """
        fit = [number for number, own in self._clusters.items() if own != cluster]
        if len(fit) < count:
            raise ValueError(
                f"held_out_context needs {count} images that are not of {cluster!r}; of the "
                f"pool's {len(self._clusters)} there are {len(fit)}. Ask for a larger `pool` or "
                "fewer `examples`."
            )
        return random.Random(seed).sample(fit, count)
