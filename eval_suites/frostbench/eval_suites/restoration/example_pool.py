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
    """A pool of images of their own for `held_out_context`: none of them is ever a query.

    The pool is small, so that its images' visual tokens are computed once. Where images are made
    when asked for, it comes from the same data as the queries and from another seed; of a set that
    ends, it is the last ones.

    Attributes:
        queries: Numbers of the images that are asked.

    Raises:
        ValueError: the set ends, and has no image left to ask.
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
            # An image that cannot be read is no example; of the others there may be enough.
            with contextlib.suppress(UnreadableError):
                clusters[number] = self._images.get(self.seed, number).cluster
        return clusters

    def choose(self, cluster: str, count: int, seed: int) -> list[int]:
        """Numbers of `count` images of other clusters than the query's, drawn from the seed.

        An example that shows the query's own photograph could tell the answer.

        Raises:
            ValueError: the pool has not so many.
        """
        fit = [number for number, own in self._clusters.items() if own != cluster]
        if len(fit) < count:
            raise ValueError(
                f"held_out_context needs {count} images that are not of {cluster!r}; of the "
                f"pool's {len(self._clusters)} there are {len(fit)}. Ask for a larger `pool` or "
                "fewer `examples`."
            )
        return random.Random(seed).sample(fit, count)
