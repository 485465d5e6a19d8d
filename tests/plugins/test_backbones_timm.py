import pytest
import timm
import torch
from safetensors.torch import save_file

from frostbench.plugins.backbones.entry import BackboneEntry
from frostbench.plugins.backbones.shared import SharedBackbones
from frostbench.plugins.backbones.timm_encoder import TimmEncoder

VIT, RESNET = "test_vit", "test_resnet"


def written(folder, name, layout="safetensors", classes=5):
    torch.manual_seed(0)
    model = timm.create_model(name, pretrained=False, num_classes=classes).eval()
    path = folder / f"{name}.{layout}"
    if layout == "safetensors":
        save_file(model.state_dict(), path)
    else:
        torch.save({"model": model.state_dict()}, path)
    return model, path


def loaded(name, path, **settings):
    return TimmEncoder.load(BackboneEntry("eyes", "timm", f"{name}:{path}", settings=settings))


@pytest.mark.parametrize("layout", ["safetensors", "pth"])
@pytest.mark.parametrize("name", [VIT, RESNET])
def test_features_are_those_that_timm_gives_for_its_own_transforms(tmp_path, name, layout):
    model, path = written(tmp_path, name, layout)
    encoder = loaded(name, path)
    config = timm.data.resolve_model_data_config(model)
    pixels = torch.rand(2, 3, encoder.side, encoder.side)
    mean, std = (torch.tensor(config[key])[:, None, None] for key in ("mean", "std"))
    with torch.no_grad():
        wanted = model.forward_features((pixels - mean) / std)
    wanted = wanted.flatten(2).mT if wanted.dim() == 4 else wanted
    torch.testing.assert_close(encoder.encode(pixels), wanted)
    assert encoder.encode(pixels).shape[-1] == encoder.width


def test_images_of_another_size_are_resized(tmp_path):
    _, path = written(tmp_path, VIT)
    encoder = loaded(VIT, path)
    assert (
        encoder.encode(torch.rand(1, 3, 50, 70)).shape[1:]
        == encoder.encode(torch.rand(1, 3, encoder.side, encoder.side)).shape[1:]
    )


def test_a_pack_names_it_by_the_kind_timm_and_it_is_frozen(tmp_path):
    _, path = written(tmp_path, VIT)
    shared = SharedBackbones([BackboneEntry("eyes", "timm", f"{VIT}:{path}")], "cpu")
    eyes = shared.get("eyes")
    assert not any(parameter.requires_grad for parameter in eyes.model.parameters())
    before = shared.checksum("eyes")
    eyes.encode(torch.rand(1, 3, eyes.side, eyes.side))
    assert shared.checksum("eyes") == before


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("no_such_model:x.pth", "its name in timm and a local weight file"),
        (VIT, "NAME:FILE"),
        (f"{VIT}:nowhere.pth", "no weight file at nowhere.pth"),
    ],
)
def test_what_cannot_be_loaded_is_one_sentence(source, said):
    with pytest.raises(ValueError, match=said):
        TimmEncoder.load(BackboneEntry("eyes", "timm", source))


def test_another_models_weights_are_listed(tmp_path):
    _, path = written(tmp_path, RESNET)
    with pytest.raises(ValueError, match="missing"):
        loaded(VIT, path)
