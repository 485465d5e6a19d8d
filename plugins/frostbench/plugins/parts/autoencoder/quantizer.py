"""Vector quantization: nearest codebook rows, and the loss that draws features and rows together.

VQ-GAN is Esser, Rombach, Ommer, "Taming Transformers for High-Resolution Image Synthesis",
CVPR 2021, https://arxiv.org/abs/2012.09841.
"""

from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from frostbench.plugins.backbones.devices import exact
from frostbench.plugins.backbones.numberless import is_numberless

CELLS_AT_ONCE = 1 << 25  # distances held at a time
ROUNDING = 1e-5  # of |a|² + |b|², well above what float32 products lose


def nearest(
    features: Float[Tensor, "*grid d"], codebook: Float[Tensor, "words d"]
) -> Int[Tensor, "*grid"]:
    """The row of the codebook nearest to each feature (VQ-GAN, equation (2)).

    Distances are Euclidean and in float32; of several rows equally near, the lowest wins. The
    answer for a feature does not depend on the other features of the call.

    Raises:
        ValueError: a feature is infinite or not a number.
    """
    return nearest_several(features, codebook, 1)[..., 0]


def nearest_several(
    features: Float[Tensor, "*grid d"], codebook: Float[Tensor, "words d"], count: int
) -> Int[Tensor, "*grid count"]:
    """The `count` rows of the codebook nearest to each feature, the nearest first.

    Distances and ties are those of `nearest`, which is the first column.

    Raises:
        ValueError: a feature is infinite or not a number, or the codebook has fewer rows.
    """
    flat, table = features.detach().flatten(0, -2).float(), codebook.detach().float()
    if not is_numberless(flat) and not bool(flat.isfinite().all()):
        raise ValueError("a feature to be quantized is infinite or not a number.")
    if not 0 < count <= len(table):
        raise ValueError(f"{count} nearest rows were asked for; the codebook has {len(table)}.")
    with torch.autocast(features.device.type, enabled=False):
        lengths = table.square().sum(1)
        step = max(1, CELLS_AT_ONCE // len(table))
        ids = [_nearest(part, table, lengths, count) for part in torch.split(flat, step)]
    return torch.cat(ids).view(*features.shape[:-1], count)


def _nearest(
    features: Float[Tensor, "n d"],
    table: Float[Tensor, "words d"],
    lengths: Float[Tensor, " words"],
    count: int,
) -> Int[Tensor, "n count"]:
    # |a - b|² - |a|² by one matrix product, whose rounding depends on its shape: so every row
    # within that rounding of the last candidate is then measured again exactly.
    rough = torch.addmm(lengths, features, table.T, alpha=-2)
    if is_numberless(rough):  # no nearest rows were asked for
        return rough.topk(count, largest=False).indices
    last = rough.amin(1) if count == 1 else rough.kthvalue(count, 1).values
    slack = ROUNDING * (features.square().sum(1) + lengths.max())
    rows, words = (rough <= (last + slack)[:, None]).nonzero(as_tuple=True)
    if count == 1 and len(rows) == len(features):
        return words[:, None]
    apart = (exact(features[rows]) - exact(table[words])).square().sum(1)
    # nonzero gives rows in order, so the lowest comes first among equals.
    order = apart.argsort(stable=True).to(rows.device)
    order = order[rows[order].argsort(stable=True)]
    sizes = rows.bincount(minlength=len(features))
    firsts = sizes.cumsum(0) - sizes
    return words[order[firsts[:, None] + torch.arange(count, device=words.device)]]


def straight_through(
    features: Float[Tensor, "*shape"], quantized: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """The quantized values, with the gradient passed on to the features.

    This is how gradients pass the quantization in VQ-GAN, equation (3).
    """
    return features + (quantized - features).detach()


def codebook_loss(
    features: Float[Tensor, "*shape"],
    quantized: Float[Tensor, "*shape"],
    beta: float,
    legacy: bool,
) -> Float[Tensor, ""]:
    """Mean squares that draw the features to their rows (commitment) and the rows to them.

    VQ-GAN, equation (4), second and third term. The paper weights commitment by `beta` and the
    rows' term by 1; the published code exchanges them (`legacy`), and every published checkpoint
    was trained so.
    """
    commitment = (quantized.detach() - features).square().mean()
    rows = (quantized - features.detach()).square().mean()
    return commitment + beta * rows if legacy else beta * commitment + rows


class Quantizer(nn.Module):
    """A learned codebook; its rows start from a uniform distribution in ±1 / codes."""

    def __init__(self, codes: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(codes, width)
        nn.init.uniform_(self.embedding.weight, -1 / codes, 1 / codes)

    def forward(self, features: Float[Tensor, "b d gh gw"]) -> Int[Tensor, "b gh gw"]:
        """The nearest code for each cell."""
        return nearest(features.movedim(1, -1), self.embedding.weight)

    def several(
        self, features: Float[Tensor, "b d gh gw"], count: int
    ) -> Int[Tensor, "b gh gw {count}"]:
        """The `count` nearest codes of each cell, the nearest first; see `nearest_several`."""
        return nearest_several(features.movedim(1, -1), self.embedding.weight, count)

    def rows(self, ids: Int[Tensor, "b gh gw"]) -> Float[Tensor, "b d gh gw"]:
        """The rows of the codebook with these ids.

        Raises:
            ValueError: an id is no row of the codebook.
        """
        check_ids(ids, self.embedding.num_embeddings, "code")
        return cast(Tensor, self.embedding(ids)).movedim(-1, 1)


def check_ids(ids: Int[Tensor, "*shape"], rows: int, noun: str) -> None:
    """Refuse ids that are no row of a table.

    Raises:
        ValueError: an id is negative or too large.
    """
    if ids.numel() and not is_numberless(ids) and (int(ids.min()) < 0 or int(ids.max()) >= rows):
        wrong = ids[(ids < 0) | (ids >= rows)].flatten()[0].item()
        raise ValueError(f"{wrong} is the id of no {noun}; there are {rows}, counted from 0.")
