"""The control `no_llm` of LM4LV: a linear map in place of the language model.

It maps the feature of a degraded patch directly to that of the clean patch, at each place by
itself, and is fitted by least squares: the best that any linear map can do by the training's own
measure, and what a language model that adds nothing would reach. It has a closed form; nothing
depends on a schedule.
"""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn


def fit(
    pairs: Iterable[tuple[Float[Tensor, "b n d"], Float[Tensor, "b n d"]]],
    width: int,
    ridge: float = 1e-3,
) -> tuple[Float[Tensor, "d d"], Float[Tensor, " d"]]:
    """Weight and bias that give clean features from degraded ones with the least squared error.

    Args:
        pairs: Degraded and clean features, batch by batch.
        width: Length of a feature.
        ridge: Added to the mean squares on the diagonal (not of the bias), as a share of their
            mean; keeps directions in which features hardly vary from being amplified.

    Raises:
        ValueError: there are no pairs.
    """
    squares = torch.zeros(width + 1, width + 1, dtype=torch.float64)
    products = torch.zeros(width + 1, width, dtype=torch.float64)
    for degraded, clean in pairs:
        seen = degraded.detach().cpu().double().flatten(0, 1)
        seen = torch.cat((seen, seen.new_ones(len(seen), 1)), 1)
        squares += seen.T @ seen
        products += seen.T @ clean.detach().cpu().double().flatten(0, 1)
    if not squares[-1, -1]:
        raise ValueError("a linear map is fitted to pairs of features, and there are none.")
    own = squares.diagonal()[:-1]
    squares.diagonal()[:-1] += ridge * own.mean()
    solved = torch.linalg.solve(squares, products)
    return solved[:-1].T.float(), solved[-1].float()


class LinearMaps(nn.Module):
    """One linear map a task, in the order of its tasks; each begins as the identity.

    `weight` holds the rows of all maps, one map after the other.
    """

    def __init__(self, tasks: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.weight = nn.Parameter(torch.eye(width).repeat(tasks, 1), requires_grad=False)
        self.bias = nn.Parameter(torch.zeros(tasks, width), requires_grad=False)

    def through(self, task: int, features: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Features of an image through the map of a task."""
        rows = slice(task * self.width, (task + 1) * self.width)
        return nn.functional.linear(features, self.weight[rows], self.bias[task])

    @torch.no_grad()
    def set(self, task: int, weight: Float[Tensor, "d d"], bias: Float[Tensor, " d"]) -> None:
        """Put a map in the place of a task's."""
        self.weight[task * self.width : (task + 1) * self.width] = weight
        self.bias[task] = bias
