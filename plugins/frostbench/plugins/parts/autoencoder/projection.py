"""Fits a linear projection of frozen vectors to the mean and covariance of features."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

FAINTEST = 1e-4  # share of the largest deviation; smaller directions carry nothing but rounding


@torch.no_grad()
def fit_spread(
    projection: nn.Linear, vectors: Float[Tensor, "words c"], points: Float[Tensor, "n d"]
) -> None:
    """Set a projection so that vectors get the mean and the covariance of points.

    Principal directions are matched in order: the direction in which vectors differ most becomes
    that in which points differ most.
    """
    source_mean, source, source_axes = principal(vectors.double())
    mean, spread, axes = principal(points.double())
    gain = torch.where(source > FAINTEST * source[0], spread / source, 0.0)
    weight = axes @ gain.diag() @ source_axes.T
    projection.weight.copy_(weight)
    projection.bias.copy_(mean - weight @ source_mean)


def principal(
    points: Float[Tensor, "n d"],
) -> tuple[Float[Tensor, " d"], Float[Tensor, " d"], Float[Tensor, "d d"]]:
    """Mean, deviations along the principal axes from the largest, and the axes as columns."""
    mean = points.mean(0)
    centred = points - mean
    values, axes = torch.linalg.eigh(centred.T @ centred / len(points))
    return mean, values.flip(0).clamp(min=1e-12).sqrt(), axes.flip(1)
