import argparse
from dataclasses import replace

import pytest
import torch

from frostbench.baselines.vqgan.checkpoint import load_published
from frostbench.baselines.vqgan.model import VQGAN, VQGANSettings
from frostbench.plugins.backbones.published import read_torch
from frostbench.plugins.parts.autoencoder.settings import NetworkSettings

SMALL = VQGANSettings(
    network=NetworkSettings(
        channels=4,
        multipliers=(1, 2),
        residual_blocks=1,
        attention_sizes=(),
        nominal_size=16,
        z_channels=3,
        norm_groups=2,
    ),
    codes=7,
    embed_width=5,
)


class Callback:
    """Stands for a trainer's class, which is pickled beside the weights."""

    def __init__(self):
        self.best = {"score": torch.ones(1)}


@pytest.fixture
def trained():
    torch.manual_seed(0)
    return VQGAN(SMALL).eval()


def lightning(model, prefix=""):
    state = {prefix + name: tensor for name, tensor in model.state_dict().items()}
    state[f"{prefix}loss.discriminator.main.0.weight"] = torch.zeros(2)
    return {"epoch": 3, "callbacks": {Callback: Callback()}, "state_dict": state}


def same(a, b):
    images = torch.rand(1, 3, 8, 8) * 2 - 1
    return torch.equal(a(images).images, b(images).images)


def test_a_lightning_file_is_loaded_without_its_trainer_and_loss(tmp_path, trained):
    torch.save(lightning(trained), tmp_path / "last.ckpt")
    assert same(load_published(tmp_path / "last.ckpt", SMALL), trained)


def test_the_first_stage_is_found_in_a_transformers_checkpoint(tmp_path, trained):
    content = lightning(trained, "first_stage_model.")
    content["state_dict"]["transformer.tok_emb.weight"] = torch.zeros(3)
    torch.save(content, tmp_path / "net.ckpt")
    assert same(load_published(tmp_path / "net.ckpt", SMALL), trained)


def test_missing_unexpected_and_misshapen_tensors_are_listed(tmp_path, trained):
    content = lightning(trained)
    content["state_dict"]["extra"] = content["state_dict"].pop("quant_conv.bias")
    torch.save(content, tmp_path / "odd.ckpt")
    with pytest.raises(ValueError, match=r"odd\.ckpt do not fit") as caught:
        load_published(tmp_path / "odd.ckpt", replace(SMALL, codes=8))
    message = str(caught.value)
    assert "1 missing (quant_conv.bias)" in message
    assert "1 unexpected (extra)" in message
    assert "quantize.embedding.weight is (7, 5) instead of (8, 5)" in message


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_checkpoint_cut_short_is_named(tmp_path, trained, share):
    path = tmp_path / "half.ckpt"
    torch.save(lightning(trained), path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ValueError, match=r"half\.ckpt \(\d+ bytes\) is cut short"):
        load_published(path, SMALL)


def test_a_web_page_is_called_one(tmp_path):
    path = tmp_path / "page.ckpt"
    path.write_text("\n<!DOCTYPE html><html><body>Not found</body></html>")
    with pytest.raises(ValueError, match=r"page\.ckpt .* is a web page"):
        load_published(path)


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"no checkpoint at .*gone\.ckpt"):
        load_published(tmp_path / "gone.ckpt")


def test_a_file_without_weights_says_what_it_has(tmp_path):
    torch.save({"epoch": 1, "model": 2}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match="no weights under 'state_dict': it has epoch, model"):
        load_published(tmp_path / "other.pt")
    torch.save(torch.zeros(2), tmp_path / "tensor.pt")
    with pytest.raises(ValueError, match="it holds Tensor"):
        load_published(tmp_path / "tensor.pt")


class Bomb:
    def __reduce__(self):
        return (print, ("executed",))


def test_nothing_that_is_pickled_in_a_checkpoint_is_executed(tmp_path, capsys):
    content = {"state_dict": {"a": torch.ones(1)}, "args": argparse.Namespace(x=1), "b": Bomb()}
    torch.save(content, tmp_path / "bomb.pt")
    assert read_torch(tmp_path / "bomb.pt")["state_dict"]["a"] == 1
    assert capsys.readouterr().out == ""
