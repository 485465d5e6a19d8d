"""Codes that grid cells are taught at first, so that short trainings do not collapse.

The published training finds its codes by itself, in 250,000 steps. In short ones nearly all cells
end at a few codes: in many dimensions a feature is about equally near to most rows of a frozen
codebook, and the first ones that are found are kept. So short trainings may begin with codes
assigned to clusters of similar cells.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from frostbench.plugins.parts.autoencoder.clusters import cluster
from frostbench.plugins.parts.autoencoder.quantizer import nearest


@dataclass(frozen=True, eq=False)
class ClusterLesson:
    """Centres of clusters of cells, as pixels, and a code for each."""

    patch: int
    centres: Float[Tensor, "clusters pixels"]
    codes: Int[Tensor, " clusters"]

    def __call__(self, images: Float[Tensor, "b 3 h w"]) -> Int[Tensor, "b gh gw"]:
        """The code of the cluster that each cell belongs to."""
        pixels = cells(images, self.patch)
        return self.codes[nearest(pixels, self.centres)]


def prepare(
    images: Float[Tensor, "b 3 h w"],
    patch: int,
    rows: Float[Tensor, "codes d"],
    clusters: int,
    *,
    rounds: int,
    seed: int,
) -> ClusterLesson:
    """Cluster the cells of images, and assign codes: similar codes to similar clusters.

    Raises:
        ValueError: there are more clusters than codes, or than cells.
    """
    if clusters > len(rows):
        raise ValueError(
            f"{clusters} clusters need a code each, and there are {len(rows)}; ask for fewer."
        )
    centres = cluster(cells(images, patch).flatten(0, -2), clusters, rounds, seed)
    draw = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(rows), generator=draw)[:clusters].to(rows.device)
    directions = functional.normalize(rows[chosen], dim=1)
    codes = torch.empty_like(chosen)
    codes[in_halves(centres)] = chosen[in_halves(directions)]
    return ClusterLesson(patch, centres, codes)


def cells(images: Float[Tensor, "b 3 h w"], patch: int) -> Float[Tensor, "b gh gw pixels"]:
    """The pixels of each cell."""
    grid = images.unfold(2, patch, patch).unfold(3, patch, patch)
    return grid.permute(0, 2, 3, 1, 4, 5).flatten(3)


def in_halves(points: Float[Tensor, "n d"]) -> Int[Tensor, " n"]:
    """An order that keeps near points together: halved along their longest axis, again and again.

    Two sets of points in such orders are paired so that both sides of a half stay together.
    """
    if len(points) < 2:
        return torch.arange(len(points), device=points.device)
    centred = (points - points.mean(0)).double()
    axis = torch.linalg.svd(centred, full_matrices=False)[2][0]
    axis = axis * axis.sum().sign()  # an axis has no sign of its own
    order = (centred @ axis).argsort(stable=True)
    halves = order[: len(order) // 2], order[len(order) // 2 :]
    return torch.cat([half[in_halves(points[half])] for half in halves])
