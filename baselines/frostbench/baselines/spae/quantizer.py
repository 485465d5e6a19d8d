"""Streaming average quantization: the codes of a grid cell average to its feature."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from frostbench.plugins.backbones.numberless import is_numberless
from frostbench.plugins.parts.autoencoder.quantizer import nearest


@dataclass(frozen=True, eq=False)
class Streamed:
    """What each layer of the pyramid chose, and the grid after it.

    `queries` are what each layer looked up, `states` the mean of a cell's codes so far (0 where it
    has none), and `coded` says which cells have one.
    """

    ids: tuple[Int[Tensor, "b _n"], ...]
    queries: tuple[Float[Tensor, "b _n d"], ...]
    states: tuple[Float[Tensor, "b cells d"], ...]
    coded: tuple[Bool[Tensor, " cells"], ...]


def stream(
    features: Float[Tensor, "b cells d"],
    codebook: Float[Tensor, "words d"],
    layers: Sequence[Int[Tensor, " _n"]],
) -> Streamed:
    """Quantize features, layer by layer; `layers` are the cells of each.

    A cell's code in a layer is the one nearest to z + sum (z - e_i) over its earlier codes e_i, so
    that its mean with them is nearest to the feature z.
    """
    cells = features.shape[1]
    total = torch.zeros_like(features)
    count = features.new_zeros(cells)
    ids, queries, states, coded = [], [], [], []
    for taken in layers:
        count[taken] += 1
        # n z - sum of e_i over the n - 1 earlier codes of a cell, the current one left out.
        query = count[taken][:, None] * features[:, taken] - total[:, taken]
        chosen = nearest(query, codebook)
        total = total.index_add(1, taken, functional.embedding(chosen, codebook).to(total.dtype))
        ids.append(chosen)
        queries.append(query)
        states.append(total / count.clamp(min=1)[:, None])
        coded.append(count > 0)
    return Streamed(tuple(ids), tuple(queries), tuple(states), tuple(coded))


def average(
    ids: Sequence[Int[Tensor, "b _n"]],
    codebook: Float[Tensor, "words d"],
    layers: Sequence[Int[Tensor, " _n"]],
    cells: int,
) -> Float[Tensor, "b {cells} d"]:
    """The mean of each cell's codes; 0 where a cell has none."""
    total = codebook.new_zeros(len(ids[0]), cells, codebook.shape[1])
    count = codebook.new_zeros(cells)
    for chosen, taken in zip(ids, layers, strict=True):
        count[taken] += 1
        total = total.index_add(1, taken, functional.embedding(chosen, codebook))
    return total / count.clamp(min=1)[:, None]


def commitment(
    features: Float[Tensor, "b cells d"], streamed: Streamed, beta: float
) -> Float[Tensor, ""]:
    """`beta` times the mean square between features and states, over the cells coded so far.

    It is summed over layers, and moves only the features: codes are frozen.
    """
    loss = features.new_zeros(())
    for state, coded in zip(streamed.states, streamed.coded, strict=True):
        cells = slice(None) if is_numberless(coded) else coded
        loss = loss + beta * (state[:, cells].detach() - features[:, cells]).square().mean()
    return loss
