import shutil

import pytest
import torch
from transformers import ViTMAEConfig, ViTMAEForPreTraining

from frostbench.plugins.backbones.entry import BackboneEntry
from frostbench.plugins.backbones.mae import MAE, normalised
from frostbench.plugins.kit import toys

# As transformers before 5, and so the published `bytetriper/vit-mae-r`, names a layer's parts.
OLD_NAMES = (
    ("vit.layers.", "vit.encoder.layer."),
    ("attention.q_proj", "attention.attention.query"),
    ("attention.k_proj", "attention.attention.key"),
    ("attention.v_proj", "attention.attention.value"),
    ("attention.o_proj", "attention.output.dense"),
    ("mlp.fc1", "intermediate.dense"),
    ("mlp.fc2", "output.dense"),
)


@pytest.fixture
def mae():
    return toys.mae()


@pytest.fixture
def folder(mae, tmp_path):
    mae.model.save_pretrained(tmp_path / "mae")
    return tmp_path / "mae"


def images(count, side=16):
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(count))


def test_features_are_those_of_transformers_without_masking_in_the_order_of_patches(mae):
    pictures = images(2)
    noise = torch.arange(16.0).expand(2, -1)
    with torch.no_grad():
        whole = mae.model(normalised(pictures), noise=noise)
    assert whole.mask.sum() == 0
    assert whole.ids_restore.tolist() == [list(range(16))] * 2
    features = mae.encode(pictures)
    assert features.shape == (2, mae.tokens, mae.width) == (2, 17, 16)
    drawn = mae.model.unpatchify(whole.logits)
    torch.testing.assert_close(normalised(mae.decode(features)), drawn, atol=1e-5, rtol=0)


def test_a_patch_changes_no_other_image_and_its_place_is_its_own(mae):
    pictures = images(3)
    alone = torch.cat([mae.encode(one[None]) for one in pictures])
    torch.testing.assert_close(mae.encode(pictures), alone, atol=1e-6, rtol=0)


def test_what_was_saved_loads_as_it_was(mae, folder):
    loaded = MAE.load(BackboneEntry("mae", "mae", str(folder)))
    assert (loaded.side, loaded.patches, loaded.tokens) == (16, 4, 17)
    assert torch.equal(loaded.encode(images(2)), mae.encode(images(2)))
    assert not any(parameter.requires_grad for parameter in loaded.model.parameters())


def test_the_published_names_of_layers_load(mae, folder):
    from safetensors.torch import save_file

    path = folder / "model.safetensors"
    old = {}
    for name, tensor in mae.model.state_dict().items():
        for new, before in OLD_NAMES:
            name = name.replace(new, before)
        old[name] = tensor
    assert "vit.encoder.layer.0.attention.attention.query.weight" in old
    assert "decoder.decoder_layers.0.intermediate.dense.bias" in old
    save_file(old, path, {"format": "pt"})
    loaded = MAE.load(BackboneEntry("mae", "mae", str(folder)))
    assert torch.equal(loaded.encode(images(2)), mae.encode(images(2)))


def test_the_published_sizes_have_the_published_numbers_of_parameters():
    config = ViTMAEConfig(
        hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096
    )
    with torch.device("meta"):
        model = ViTMAEForPreTraining(config)
    encoder = sum(p.numel() for p in model.vit.parameters() if p.requires_grad)
    decoder = sum(p.numel() for p in model.decoder.parameters() if p.requires_grad)
    assert round(encoder / 1e6, 1) == 303.1
    assert abs(decoder / 1e6 - 26.1) < 0.2


def test_a_decoder_of_normalised_patches_is_refused(mae):
    mae.model.config.norm_pix_loss = True
    with pytest.raises(ValueError, match="norm_pix_loss"):
        MAE(mae.model, "stock")


def test_images_of_another_size_are_refused_with_both_sizes(mae):
    with pytest.raises(ValueError, match="reads images of 16 x 16, and got 24 x 24"):
        mae.encode(images(1, 24))


def test_features_of_another_number_are_refused(mae):
    with pytest.raises(ValueError, match="reads 17 features of width 16, and got 16 of 16"):
        mae.decode(torch.zeros(1, 16, 16))


def test_a_folder_without_weights_is_refused_in_a_sentence(folder):
    shutil.move(folder / "config.json", folder / "other.json")
    with pytest.raises(ValueError, match=r"no masked autoencoder at .*config\.json, weights"):
        MAE.load(BackboneEntry("mae", "mae", str(folder)))
