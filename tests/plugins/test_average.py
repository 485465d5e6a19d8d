import pytest
import torch
from torch import nn

from frostbench.plugins.parts.autoencoder.average import Average


def test_the_mean_follows_what_is_trained_and_leaves_the_rest_alone():
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    model[1].requires_grad_(False)
    nn.init.constant_(model[0].weight, 1.0)
    nn.init.constant_(model[1].weight, 5.0)
    average = Average(model, 0.75)
    with torch.no_grad():
        model[0].weight.fill_(5.0)
        model[1].weight.fill_(9.0)
    average.update(model)
    average.into(model)
    assert model[0].weight.item() == pytest.approx(2.0)
    assert model[1].weight.item() == 9.0


def test_a_mean_that_was_kept_goes_on():
    model = nn.Linear(2, 2)
    one, other = Average(model, 0.5), Average(nn.Linear(2, 2), 0.5)
    other.load_state_dict(one.state_dict())
    with torch.no_grad():
        model.weight.add_(1)
    one.update(model)
    other.update(model)
    assert all(
        torch.equal(one.state_dict()[name], other.state_dict()[name]) for name in ("weight",)
    )
