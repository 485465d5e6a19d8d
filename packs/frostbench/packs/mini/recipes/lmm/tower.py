"""Initial weights of a small image tower that let it learn from few images."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

NEAREST, FARTHEST = 1.5, 16.0  # waves of positions: fastest, in radians a cell, and how much slower
LOUDNESS = 0.5  # of the positions beside the cells
LOOK, LOOK_NOISE = 0.7, 0.7  # queries times keys: share of the identity, and of noise
PASS, PASS_NOISE = -0.4, 0.4  # the same for values times outputs


@torch.no_grad()
def settle(tower: Any) -> None:
    """Start a CLIP image tower with cells that attend to their surroundings.

    Positions are waves over rows and columns, and queries meet keys, values meet outputs as in
    trained transformers (Trockman & Kolter, "Mimetic Initialization of Self-Attention Layers",
    2023, https://arxiv.org/abs/2305.09828): so attention starts out local, which a tower otherwise
    learns from many more images than a small pack's training shows.
    """
    embeddings = tower.embeddings
    table, patches = embeddings.position_embedding.weight, embeddings.patch_embedding.weight
    table[1:] = LOUDNESS * waves(math.isqrt(len(table) - 1), table.shape[1])
    patches.normal_(0, patches[0].numel() ** -0.5)
    for layer in tower.encoder.layers:
        attention = layer.self_attn
        _look(attention.q_proj.weight, attention.k_proj.weight, attention.num_heads)
        _pass(attention.v_proj.weight, attention.out_proj.weight)


def waves(side: int, width: int) -> Float[Tensor, "n width"]:
    """Sines and cosines of each cell's row and column, row by row; other widths get zeros."""
    count = width // 4
    speeds = NEAREST * torch.exp(torch.linspace(0, -math.log(FARTHEST), count))
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    made = torch.zeros(side * side, width)
    for at, places in enumerate((rows, columns)):
        angles = places.flatten()[:, None] * speeds
        made[:, 2 * at * count : (2 * at + 1) * count] = angles.sin()
        made[:, (2 * at + 1) * count : (2 * at + 2) * count] = angles.cos()
    return made


def _look(queries: Tensor, keys: Tensor, heads: int) -> None:
    """Each head takes the strongest directions of its own random matrix near the identity."""
    width = len(queries)
    size = width // heads
    for head in range(heads):
        drawn = LOOK * torch.eye(width) + LOOK_NOISE * torch.randn(width, width) / math.sqrt(width)
        u, strengths, v = torch.linalg.svd(drawn)
        root = strengths[:size].sqrt()
        rows = slice(head * size, (head + 1) * size)
        queries[rows], keys[rows] = (u[:, :size] * root).T, v[:size] * root[:, None]


def _pass(values: Tensor, outputs: Tensor) -> None:
    width = len(values)
    drawn = PASS * torch.eye(width) + PASS_NOISE * torch.randn(width, width) / math.sqrt(width)
    u, strengths, v = torch.linalg.svd(drawn)
    root = strengths.sqrt()
    values.copy_(v * root[:, None])
    outputs.copy_(u * root)
