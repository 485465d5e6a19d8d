import copy
import json
import socket

import numpy as np
import open_clip
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file

from frostbench.plugins.backbones import BackboneEntry, SharedBackbones, precision, weights
from frostbench.plugins.backbones.clip import Clip
from frostbench.plugins.backbones.devices import dtype_of
from frostbench.plugins.host.packs import embedded_pack

TOWERS = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


def save(place, **preprocess):
    place.mkdir(parents=True, exist_ok=True)
    settings = {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.25, 0.3], **preprocess}
    (place / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": TOWERS, "preprocess_cfg": settings})
    )
    torch.manual_seed(0)
    save_file(open_clip.CLIP(**TOWERS).state_dict(), place / "open_clip_model.safetensors")
    return place


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def clip(folder):
    return SharedBackbones([BackboneEntry("clip", "open_clip", str(folder))]).get("clip")


def test_a_clip_comes_back_from_its_folder_frozen(clip, folder):
    assert clip.image_size == (32, 32)
    assert clip.identity == str(folder)
    assert not clip.model.training
    assert not any(p.requires_grad for p in clip.model.parameters())
    again = Clip.load(BackboneEntry("clip", "open_clip", f"local-dir:{folder}"))
    text = ["a cat", "a dog"]
    assert torch.equal(again.encode_text(text), clip.encode_text(text))


def test_cells_are_what_the_tower_pools(clip):
    pixels = torch.rand(2, 3, 40, 32)
    tower = copy.deepcopy(clip.model.visual)
    tower.output_tokens = True
    with torch.no_grad():
        _, wanted = tower(clip.preprocess(pixels))
    torch.testing.assert_close(clip.encode_cells(pixels), wanted)
    mini = Clip.load(BackboneEntry("clip", "open_clip", str(embedded_pack("mini") / "clip")))
    pooled = mini.model.visual.attnpool
    cells = mini.encode_cells(pixels[:1, :, :32])
    assert cells.shape == (1, 4, 768)
    with torch.no_grad():  # a ResNet's, row by row
        again = pooled(cells.mT.reshape(1, 768, 2, 2))
    torch.testing.assert_close(again, mini.encode_image(pixels[:1, :, :32]), rtol=1e-3, atol=1e-4)


def test_normalised_embeddings_have_length_1_and_raw_ones_the_same_direction(clip):
    images = torch.rand(3, 3, 40, 50)
    for raw, unit in (
        (clip.encode_image(images), clip.encode_image(images, normalise=True)),
        (clip.encode_text(["a", "b"]), clip.encode_text(["a", "b"], normalise=True)),
    ):
        assert torch.allclose(unit.norm(dim=-1), torch.ones(len(unit)))
        assert torch.allclose(raw / raw.norm(dim=-1, keepdim=True), unit, atol=1e-6)


@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@settings(max_examples=8)
@given(height=st.integers(8, 90), width=st.integers(8, 90))
def test_preprocessing_is_open_clips_own_up_to_its_8_bits(
    tmp_path_factory, mode, interpolation, height, width
):
    from open_clip.transform import PreprocessCfg, image_transform_v2

    made = clip_of(tmp_path_factory, mode, interpolation)
    ramp = np.linspace(0, 255, height * width * 3).reshape(height, width, 3)
    array = (127 + 127 * np.sin(ramp / 9)).round().astype(np.uint8)
    config = PreprocessCfg(**made.model.visual.preprocess_cfg)
    wanted = image_transform_v2(config, is_train=False)(Image.fromarray(array))
    pixels = torch.from_numpy(array).permute(2, 0, 1)[None] / 255
    given_ = made.preprocess(pixels)[0]
    assert given_.shape == wanted.shape
    assert (given_ - wanted).abs().max() < 3 / 255 / 0.2
    assert torch.equal(made.preprocess(pixels, rounded=True)[0], wanted)


CLIPS = {}


def clip_of(factory, mode, interpolation):
    if (mode, interpolation) not in CLIPS:
        place = save(factory.mktemp("clip"), resize_mode=mode, interpolation=interpolation)
        CLIPS[mode, interpolation] = Clip.load(BackboneEntry("clip", "open_clip", str(place)))
    return CLIPS[mode, interpolation]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("ViT-Z-1", "no CLIP named 'ViT-Z-1' in open_clip"),
        ("ViT-B-32:tag", "no weight file at tag, and no published weights of that name"),
        ("ViT-S-32", "which weights"),
        ("/nowhere/clip", "no CLIP at /nowhere/clip"),
        ("local-dir:/nowhere/clip", "no CLIP at /nowhere/clip"),
    ],
)
def test_a_clip_that_is_not_there_says_what_is_missing(source, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        Clip.load(BackboneEntry("clip", "open_clip", source))
    assert "\n" not in str(caught.value)


def test_published_weights_that_are_not_on_this_machine_are_not_downloaded(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: pytest.fail("the network was asked"))
    with pytest.raises(ValueError, match="no CLIP can be loaded from 'ViT-L-14'") as caught:
        Clip.load(BackboneEntry("clip", "open_clip", "ViT-L-14"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kept", ["half", "byte"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_weights_of_fewer_bits_run_in_the_dtype_of_the_entry(tmp_path, caplog, kept, dtype):
    file = save(tmp_path / "clip") / "open_clip_model.safetensors"
    made = open_clip.CLIP(**TOWERS)
    precision.write(file, made.state_dict(), kept)
    assert precision.in_bytes(file) == (kept == "byte")
    precision.rounded(made, kept)
    clip = Clip.load(BackboneEntry("clip", "open_clip", str(file.parent), dtype=dtype))
    assert "random" not in caplog.text
    for name, tensor in clip.model.state_dict().items():
        assert not tensor.is_floating_point() or tensor.dtype == dtype_of(dtype)
        expected = made.state_dict()[name].to(tensor.dtype)
        torch.testing.assert_close(tensor, expected, rtol=1e-6, atol=1e-9)
    assert clip.encode_image(torch.rand(1, 3, 40, 50)).shape == (1, 16)


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("token_embedding.weight.scale", r"damaged: token_embedding\.weight is kept in 8 bits"),
        ("token_embedding.weight", r"1 missing \(token_embedding\.weight\)"),
    ],
)
def test_a_byte_a_number_without_a_scale_or_a_tensor_is_refused(tmp_path, gone, said):
    file = save(tmp_path / "clip") / "open_clip_model.safetensors"
    tensors = precision.compact(open_clip.CLIP(**TOWERS).state_dict(), "byte")
    del tensors[gone]
    weights.write(file, tensors)
    with pytest.raises(ValueError, match=said) as caught:
        Clip.load(BackboneEntry("clip", "open_clip", str(file.parent)))
    assert "\n" not in str(caught.value)


def test_a_clip_weight_file_cut_short_is_named(tmp_path):
    file = save(tmp_path / "clip") / "open_clip_model.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(ValueError, match=r"open_clip_model\.safetensors .*is cut short"):
        Clip.load(BackboneEntry("clip", "open_clip", str(file.parent)))


def test_a_folder_without_weights_gives_no_random_clip(tmp_path):
    place = save(tmp_path / "clip")
    (place / "open_clip_model.safetensors").unlink()
    with pytest.raises(ValueError, match="no CLIP can be loaded"):
        Clip.load(BackboneEntry("clip", "open_clip", str(place)))
