"""K-means over features, for the rows of a codebook: seeded, with no empty cluster."""

import torch
from jaxtyping import Float
from torch import Tensor

from frostbench.plugins.parts.autoencoder.quantizer import nearest


@torch.no_grad()
def cluster(
    points: Float[Tensor, "n d"], count: int, rounds: int, seed: int
) -> Float[Tensor, "count d"]:
    """`count` centres of points, after `rounds` of k-means that begin at points drawn by lot.

    A centre that loses all its points moves to a point far from every centre.

    Raises:
        ValueError: there are fewer points than centres.
    """
    if len(points) < count:
        raise ValueError(
            f"{count} codes cannot be fitted to {len(points)} features; use more batches."
        )
    generator = torch.Generator().manual_seed(seed)
    lot = torch.randperm(len(points), generator=generator).to(points.device)
    centres = points[lot[:count]].clone()
    for _ in range(rounds):
        owner = nearest(points, centres)
        sizes = owner.bincount(minlength=count)
        sums = torch.zeros_like(centres).index_add_(0, owner, points)
        error = (points - centres[owner]).square().sum(1)
        centres = sums / sizes.clamp(min=1)[:, None]
        empty = (sizes == 0).nonzero().flatten()
        centres[empty] = points[error.topk(len(empty)).indices]
    return centres
