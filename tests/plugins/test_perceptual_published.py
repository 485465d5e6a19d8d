"""LPIPS on VGG16 as the package computes it."""

import lpips
import pytest
import torch
import torchvision

from frostbench.bench.cli import main
from frostbench.plugins.backbones.perceptual import Perceptual


@pytest.mark.filterwarnings("ignore:(The parameter 'pretrained'|Arguments other than a weight)")
def test_a_converted_trunk_measures_what_the_package_lpips_measures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    trunk = torchvision.models.vgg16().features.half().float()
    torch.save({f"features.{key}": t for key, t in trunk.state_dict().items()}, "vgg16.pth")
    assert main(["convert", "perceptual", "vgg16.pth", "out=made"]) == 0
    ours = Perceptual.load(tmp_path / "made")
    theirs = lpips.LPIPS(net="vgg", pnet_rand=True, verbose=False)
    own = theirs.net.state_dict()
    state = trunk.state_dict()
    theirs.net.load_state_dict({key: state[key.partition(".")[2]] for key in own})
    a, b = torch.rand(2, 2, 3, 32, 32)
    with torch.no_grad():
        wanted = theirs(a, b, normalize=True).flatten()
        assert torch.allclose(ours.distance(a, b), wanted, rtol=1e-2)


def test_another_network_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    torch.save({"features.0.weight": torch.zeros(2)}, "other.pth")
    assert main(["convert", "perceptual", "other.pth", "out=made"]) == 2
    assert "other.pth" in capsys.readouterr().err
    assert not (tmp_path / "made").exists()
