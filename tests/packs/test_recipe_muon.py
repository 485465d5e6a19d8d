"""Muon against the one of torch, and what it makes of a matrix."""

import copy

import pytest
import torch
from torch import nn

from frostbench.packs.mini.recipes.lmm.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(3, 12, 12), (2, 8, 20), (2, 20, 8)])
def test_singular_values_come_near_one_and_vectors_stay(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    matrices = torch.randn(shape)
    made = orthogonal(matrices)
    values = torch.linalg.svdvals(made)
    assert values.max() < 1.3
    assert values.median() > 0.6
    # What is moved along is the gradient's own direction, not away from it.
    u, _, v = torch.linalg.svd(matrices, full_matrices=False)
    nearest = u @ v
    cosine = torch.nn.functional.cosine_similarity(made.flatten(1), nearest.flatten(1))
    assert cosine.min() > 0.95


def test_it_steps_as_torch_does() -> None:
    torch.manual_seed(0)
    ours = nn.ModuleList(nn.Linear(12, width, bias=False) for width in (12, 30, 30, 6))
    theirs = copy.deepcopy(ours)
    optimisers = [
        (ours, Muon(ours.parameters(), lr=0.02, weight_decay=0.1)),
        (theirs, torch.optim.Muon(theirs.parameters(), lr=0.02, weight_decay=0.1)),
    ]
    x = torch.randn(64, 12)
    start = [p.detach().clone() for p in ours.parameters()]
    for _ in range(5):
        for layers, optimiser in optimisers:
            optimiser.zero_grad()
            sum((layer(x).square() - 1).square().mean() for layer in layers).backward()
            optimiser.step()
    for a, b, before in zip(ours.parameters(), theirs.parameters(), start, strict=True):
        moved = (a - before).norm()
        # Theirs is rounded to bfloat16 on the way.
        assert (a - b).norm() < 0.03 * moved


def test_vectors_are_refused() -> None:
    with pytest.raises(
        ValueError, match="moves matrices, and was given a tensor of shape \\(4,\\)"
    ):
        Muon([nn.Parameter(torch.zeros(4))], lr=0.1)


def test_resumed_equals_uninterrupted() -> None:
    torch.manual_seed(0)
    whole = nn.Linear(6, 6, bias=False)
    x = torch.randn(16, 6)

    def steps(layer: nn.Linear, optimiser: Muon, count: int) -> None:
        for _ in range(count):
            optimiser.zero_grad()
            (layer(x) - 1).square().mean().backward()
            optimiser.step()

    first = copy.deepcopy(whole)
    optimiser = Muon(first.parameters(), lr=0.05)
    steps(first, optimiser, 3)
    second = copy.deepcopy(first)
    resumed = Muon(second.parameters(), lr=0.05)
    resumed.load_state_dict(copy.deepcopy(optimiser.state_dict()))
    steps(second, resumed, 3)
    optimiser = Muon(whole.parameters(), lr=0.05)
    steps(whole, optimiser, 6)
    assert torch.equal(whole.weight, second.weight)
