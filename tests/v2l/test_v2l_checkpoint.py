import argparse

import pytest
import torch
from torch import nn
from v2l_world import SMALL

from frostbench.v2l.checkpoint import load_published
from frostbench.v2l.model import V2LTokenizer


@pytest.fixture
def trained():
    torch.manual_seed(0)
    return V2LTokenizer(SMALL).eval()


@pytest.fixture
def tower():
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(3, 4, 2), nn.LayerNorm(4))


def official(model, tower):
    state = dict(model.state_dict())
    state |= {f"global_encoder.{name}": t.half() for name, t in tower.state_dict().items()}
    state |= {"discriminator.main.0.weight": torch.zeros(1), "perceptual_loss.x": torch.zeros(1)}
    return state


@pytest.mark.parametrize("key", ["state_dict", "model"])
def test_periodic_and_last_files_are_loaded_beside_their_own_clip(tmp_path, trained, tower, key):
    path = tmp_path / "vqgan_checkpoint-last.pth"
    arguments = argparse.Namespace(lr=4.5e-4)
    torch.save({key: official(trained, tower), "epoch": 1, "args": arguments}, path)
    loaded = load_published(path, tower, SMALL)
    images, words = torch.rand(1, 3, 8, 8) * 2 - 1, torch.tensor([[0, 1, 2, 3]])
    assert torch.equal(loaded(images, words).images, trained(images, words).images)


def test_another_clip_is_refused(tmp_path, trained, tower):
    path = tmp_path / "v2l.pth"
    torch.save({"state_dict": official(trained, tower)}, path)
    other = nn.Sequential(nn.Conv2d(3, 4, 2), nn.LayerNorm(4))
    with pytest.raises(ValueError, match=r"beside another CLIP .*: 0\.weight has other values"):
        load_published(path, other, SMALL)
    with pytest.raises(ValueError, match=r"another CLIP .*2 unexpected \(1\.weight, 1\.bias\)"):
        load_published(path, tower[:1], SMALL)


def test_without_a_tower_its_keys_are_not_looked_at(tmp_path, trained, tower):
    path = tmp_path / "v2l.pth"
    torch.save({"state_dict": official(trained, tower)}, path)
    assert load_published(path, None, SMALL).settings == SMALL


def test_a_missing_tensor_is_listed(tmp_path, trained, tower):
    state = official(trained, tower)
    del state["codebook_projection.bias"]
    torch.save({"model": state}, tmp_path / "v2l.pth")
    with pytest.raises(ValueError, match=r"1 missing \(codebook_projection\.bias\)"):
        load_published(tmp_path / "v2l.pth", None, SMALL)
