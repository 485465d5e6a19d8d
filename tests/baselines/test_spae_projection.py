import pytest
import torch
from torch import nn

from frostbench.baselines.spae.projection import ProjectionSettings, by_meaning, fit_projection


@pytest.fixture
def words():
    torch.manual_seed(0)
    rows = torch.randn(4000, 6) @ torch.randn(6, 6) + 5
    meanings = rows[:, :2] @ torch.randn(2, 3) + 0.1 * torch.randn(4000, 3)
    return rows, meanings


def test_directions_are_independent_and_of_unit_size(words):
    rows, meanings = words
    seen = (rows - rows.mean(0)).double() @ by_meaning(rows, meanings)
    assert torch.allclose(seen.T.cov(correction=0), torch.eye(6).double(), atol=1e-4)


def test_the_first_directions_tell_what_words_mean_and_the_last_tell_nothing(words):
    rows, meanings = words
    seen = (rows - rows.mean(0)).double() @ by_meaning(rows, meanings)
    wanted = (meanings - meanings.mean(0)).double()
    told = (seen.T @ wanted).norm(dim=1)
    assert told.argsort(descending=True).tolist()[:2] == [0, 1]
    assert float(told[2:].max()) < 0.05 * float(told[0])
    again = seen[:, :2] @ torch.linalg.lstsq(seen[:, :2], wanted).solution
    assert float((wanted - again).square().mean()) < 0.02


def test_words_spread_as_features_do_in_looks_and_as_is_asked_for_in_meaning(words):
    rows, meanings = words
    points = torch.randn(5000, 4) * torch.tensor([4.0, 2.0, 0.1, 0.05]) + 7
    projection = nn.Linear(6, 4)
    settings = ProjectionSettings(widen=1.5, meaning=2, deviation=0.5)
    fit_projection(projection, rows, meanings, points, settings)
    seen = projection(rows).detach()
    assert torch.allclose(seen.mean(0), points.mean(0), atol=1e-2)
    assert torch.allclose(seen.std(0), torch.tensor([6.0, 3.0, 3.0, 3.0]), rtol=0.05)
    wanted = meanings - meanings.mean(0)
    told = ((seen - seen.mean(0)) / seen.std(0)).T @ wanted
    assert float(told[:2].norm()) < 0.1 * float(told[2:].norm())


@pytest.mark.parametrize("meaning", [4, 9])
def test_more_directions_of_meaning_than_there_are_is_refused(words, meaning):
    settings = ProjectionSettings(meaning=meaning)
    with pytest.raises(ValueError, match=f"{meaning} directions of meaning were asked for"):
        fit_projection(nn.Linear(6, 4), *words, torch.randn(50, 4), settings)
