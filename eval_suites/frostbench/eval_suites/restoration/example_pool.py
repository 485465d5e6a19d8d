"""Which images serve as examples of a restoration."""

import random
from functools import cached_property

from frostbench.plugins.contract.datasets import ImageSet
from frostbench.plugins.contract.seeds import seed_of


class ExamplePool:
    """A pool of images of their own for `held_out_context`: none of them is ever a query.

    The pool is small, so that its images' visual tokens are computed once. It comes from the
    same data as the queries and from another seed.
    """

    def __init__(self, images: ImageSet, pool: int, seed: int) -> None:
        self.seed = seed_of(seed, "examples")
        self._images, self._pool = images, pool

    @cached_property
    def _clusters(self) -> list[str]:
        return [self._images.get(self.seed, number).cluster for number in range(self._pool)]

    def choose(self, cluster: str, count: int, seed: int) -> list[int]:
        """Numbers of `count` images of other clusters than the query's, drawn from the seed.

        An example that shows the query's own photograph could tell the answer.

        Raises:
            ValueError: the pool has not so many.
        """
        fit = [number for number, own in enumerate(self._clusters) if own != cluster]
        if len(fit) < count:
            raise ValueError(
                f"held_out_context needs {count} images that are not of {cluster!r}; of the "
                f"pool's {len(self._clusters)} there are {len(fit)}. Ask for a larger `pool` or "
                "fewer `examples`."
            )
        return random.Random(seed).sample(fit, count)
