"""A projection of SPAE's codebook for small packs: room for appearance, and for meaning.

The paper seems to have none. Here the strongest directions of the encoder's features, in which
images look different, get those directions of the codebook that are unrelated to CLIP's features of
words; the weakest get the most related ones. Words of similar meaning to CLIP then lie near one
another, and which of them fits an image can be learned in minutes.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from frostbench.plugins.parts.autoencoder.projection import principal


@dataclass(frozen=True)
class ProjectionSettings:
    """How words spread where the codebook is projected.

    Attributes:
        widen: Deviation of the words in the directions of appearance, relative to that of the
            features: a mean of codes must match a feature, and means vary less.
        meaning: Directions of meaning, the weakest ones of the features.
        deviation: Deviation of the words in each of these, relative to the largest of appearance.
    """

    widen: float = 1.4
    meaning: int = 16
    deviation: float = 0.3


@torch.no_grad()
def fit_projection(
    projection: nn.Linear,
    rows: Float[Tensor, "words c"],
    meanings: Float[Tensor, "words e"],
    points: Float[Tensor, "n d"],
    settings: ProjectionSettings,
) -> None:
    """Set a projection of rows to the space of points; the bias is the mean of the points.

    Raises:
        ValueError: there are fewer directions than the settings ask for.
    """
    width, meaning = points.shape[1], settings.meaning
    directions = by_meaning(rows, meanings)
    if not 0 <= meaning < width <= directions.shape[1]:
        raise ValueError(
            f"{meaning} directions of meaning were asked for, in a projection of rows that vary "
            f"in {directions.shape[1]} directions to width {width}; choose fewer."
        )
    seen = width - meaning
    taken = torch.cat([directions[:, -seen:].flip(1), directions[:, :meaning]], 1)
    mean, spread, axes = principal(points.double())
    wanted = settings.widen * spread
    wanted[seen:] = settings.deviation * wanted[0]
    weight = axes @ wanted.diag() @ taken.T
    projection.weight.copy_(weight)
    projection.bias.copy_(mean - weight @ rows.double().mean(0))


def by_meaning(
    rows: Float[Tensor, "words c"], meanings: Float[Tensor, "words e"]
) -> Float[Tensor, "c _rank"]:
    """Directions in which rows vary by 1 and independently, from most to least meaning.

    Directions that explain most of the variance of `meanings` linearly come first.
    """
    centred = (rows - rows.mean(0)).double()
    left, sizes, right = torch.linalg.svd(centred, full_matrices=False)
    kept = sizes > 1e-6 * sizes[0]
    left, sizes, right = left[:, kept], sizes[kept], right[kept]
    told = left.T @ (meanings - meanings.mean(0)).double()
    order = torch.linalg.svd(told, full_matrices=True)[0]
    directions = right.T @ (1 / sizes).diag() @ order
    return torch.mul(directions, len(rows) ** 0.5)
