"""Files in the official layouts, with random weights, become folders that methods load."""

import json

import numpy as np
import official_files
import pytest
import torch
from official_files import archive, random_
from torch import nn

from frostbench.baselines.flmm import weights as flmm_weights
from frostbench.baselines.flmm.checkpoint import PLACES
from frostbench.baselines.flmm.model import Heads, HeadSettings
from frostbench.baselines.flmm.unet import UNetSettings
from frostbench.baselines.lm4lv import weights as lm4lv_weights
from frostbench.baselines.lm4lv.model import Adapters, AdapterSettings
from frostbench.baselines.lqae import weights as lqae_weights
from frostbench.baselines.lqae.vit import ViTSettings
from frostbench.baselines.vqgan import weights as vqgan_weights
from frostbench.baselines.vqgan.convert import sizes_of
from frostbench.baselines.vqgan.model import F16_1024, F16_16384, VQGAN, VQGANSettings
from frostbench.bench.cli import main
from frostbench.plugins.backbones.clip import Clip
from frostbench.plugins.backbones.entry import BackboneEntry
from frostbench.plugins.kit import toys
from frostbench.plugins.parts.autoencoder.settings import TINY, NetworkSettings
from frostbench.v2l import weights as v2l_weights
from frostbench.v2l.codebook import load_words
from frostbench.v2l.convert import sizes_of as v2l_sizes
from frostbench.v2l.model import V2LSettings, V2LTokenizer

NETWORK = ("network.norm_groups=2", "network.nominal_size=16")


def same(read, written):
    state = written.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in read.state_dict().items())


@pytest.mark.parametrize("gumbel", [False, True])
def test_vqgan(tmp_path, capsys, gumbel):
    settings = VQGANSettings(TINY, codes=32, embed_width=4, gumbel=gumbel)
    model = random_(VQGAN(settings))
    state = {**model.state_dict(), "loss.logvar": torch.zeros(1)}
    torch.save({"state_dict": state}, tmp_path / "last.ckpt")
    out = tmp_path / "vqgan"
    assert main(["convert", "vqgan", str(tmp_path / "last.ckpt"), f"out={out}", *NETWORK]) == 0
    read = vqgan_weights.load(out)
    assert read.settings == settings
    same(read, model)
    said = capsys.readouterr().out
    assert "1 tensors of the training were left out" in said
    assert "parity: " in said
    assert "last.ckpt" in (out / "CARD.md").read_text()
    images = torch.rand(1, 3, 16, 16) * 2 - 1
    assert torch.equal(read.several(images, 3)[..., 0], read.encode(images))


def test_the_likeliest_codes_of_a_gumbel_codebook_are_those_of_its_logits():
    model = random_(VQGAN(VQGANSettings(TINY, codes=32, embed_width=4, gumbel=True)), 1)
    images = torch.rand(2, 3, 16, 16) * 2 - 1
    logits = model.quantize.proj(model.features(images))
    assert torch.equal(model.encode(images), logits.argmax(1))
    rows = nn.functional.embedding(model.encode(images), model.codebook).movedim(-1, 1)
    assert torch.equal(model.decode(model.encode(images)), model.render(rows))


@pytest.mark.parametrize("settings", [F16_1024, F16_16384])
def test_published_sizes_of_vqgan_are_read_off_shapes(settings):
    with torch.device("meta"):
        state = VQGAN(settings).state_dict()
    assert sizes_of(state, "a file") == settings


def test_the_published_f8_is_read_off_its_shapes():
    network = NetworkSettings(multipliers=(1, 1, 2, 4), attention_sizes=(32,))
    settings = VQGANSettings(network, codes=8192, gumbel=True)
    with torch.device("meta"):
        state = VQGAN(settings).state_dict()
    assert sizes_of(state, "a file") == settings
    assert state["quantize.proj.weight"].shape == (8192, 256, 1, 1)


def test_published_sizes_of_v2l_are_read_off_shapes():
    with torch.device("meta"):
        state = V2LTokenizer(V2LSettings()).state_dict()
    found = v2l_sizes(state, "a file")
    assert found.network.attention_sizes == ()
    assert found == V2LSettings(found.network)


@pytest.fixture
def v2l(tmp_path):
    """Official files of a tiny V2L-Tokenizer: checkpoint and both vocabularies."""
    settings = V2LSettings(
        TINY, local_words=320, global_words=24, embed_width=16, cross_attention_heads=1
    )
    model = random_(V2LTokenizer(settings))
    state = {**model.state_dict(), "global_encoder.proj": torch.zeros(2).half()}
    torch.save({"model": state, "epoch": 1}, tmp_path / "v2l.pth")
    words = [f"w{i}" for i in range(320)]
    np.save(tmp_path / "local.npy", np.array(words))
    np.save(tmp_path / "global.npy", np.array(words[:24], dtype=object), allow_pickle=True)
    return tmp_path, model, words


def test_v2l(v2l, capsys):
    folder, model, words = v2l
    out = folder / "v2l"
    files = (f"checkpoint={folder}/v2l.pth", f"global_words={folder}/global.npy")
    asked = ["convert", "v2l", *files, f"out={out}", *NETWORK, "cross_attention_heads=1"]
    assert main([*asked, f"local_words={folder}/local.npy"]) == 0
    same(v2l_weights.load(out), model)
    assert load_words(out) == (tuple(words), tuple(words[:24]))
    assert "1 of the CLIP tower" in capsys.readouterr().out


def test_the_local_words_of_v2l_are_those_of_the_language_models_tokenizer(v2l):
    folder, _, _ = v2l
    llm = toys.backbones().get("llm")
    llm.tokenizer.save_pretrained(folder / "llm")
    files = (f"{folder}/v2l.pth", f"{folder}/global.npy", f"llm={folder}/llm")
    out = folder / "v2l"
    words = ["convert", "v2l", *files, f"out={out}", *NETWORK, "cross_attention_heads=1"]
    assert main(words) == 0
    assert load_words(out)[0] == tuple(llm.decode([i]) for i in range(320))


def test_vocabularies_of_another_size_are_refused_and_nothing_is_left(v2l, capsys):
    folder, _, words = v2l
    np.save(folder / "local.npy", np.array(words[:7]))
    files = (f"{folder}/v2l.pth", f"{folder}/global.npy", f"{folder}/local.npy")
    out = folder / "v2l"
    assert main(["convert", "v2l", *files, f"out={out}", *NETWORK, "cross_attention_heads=1"]) == 2
    assert f"vocabulary in {folder}/local.npy has 7 words" in capsys.readouterr().err
    assert not out.exists()
    assert not list(folder.glob("*.unfinished"))


@pytest.mark.parametrize("layout", ["npz", "msgpack"])
def test_lqae(tmp_path, layout):
    network = ViTSettings(image_size=16, patch=8, width=8, layers=1, heads=2, inner=8)
    file, model = official_files.lqae(tmp_path / f"lqae.{layout}", network)
    out = tmp_path / "lqae"
    assert main(["convert", "lqae", str(file), f"out={out}", "network.heads=2"]) == 0
    same(lqae_weights.load(out), model)


def test_lm4lv_with_its_lora_and_without_a_linear_map(tmp_path, capsys):
    adapters = random_(Adapters(AdapterSettings(32, 64, 10, ("deblurring",))))
    content = {name: tensor.bfloat16() for name, tensor in adapters.state_dict().items()}
    for letter, shape in (("A", (2, 64)), ("B", (64, 2))):
        layer = f"base_model.model.model.layers.0.self_attn.q_proj.lora_{letter}"
        content[f"llama_model.{layer}.default.weight"] = torch.ones(shape)
    torch.save(content, tmp_path / "pytorch_model.pt")
    out = tmp_path / "lm4lv"
    words = ["convert", "lm4lv", str(tmp_path / "pytorch_model.pt"), f"out={out}"]
    assert main([*words, "task=deblurring"]) == 0
    (read,) = lm4lv_weights.load_all(out)
    assert read.linear is None
    assert read.adapters.settings.tasks == ("deblurring",)
    assert torch.equal(read.adapters.adapter.weight, adapters.adapter.weight.bfloat16().float())
    config = json.loads((read.lora.folder / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["target_modules"]) == (2, 64.0, ["q_proj"])
    assert "no linear map for the control no_llm" in capsys.readouterr().out


def test_flmm(tmp_path):
    sam = toys.sam().model
    settings = HeadSettings(UNetSettings(channels=8, widths=(4, 6), side=8), layers=2, width=12)
    heads = random_(Heads(settings, sam), 3)
    state = {**heads.state_dict(), "llava.rotary_emb.inv_freq": torch.zeros(2)}
    torch.save(state, tmp_path / "heads.pth")
    out = tmp_path / "flmm"
    asked = ["convert", "flmm", str(tmp_path / "heads.pth"), f"out={out}", "unet.side=8"]
    assert main([*asked, "sam.decoder_heads=2"]) == 0
    read = flmm_weights.load(out, sam)
    assert read.settings == settings
    assert all(
        torch.equal(t, dict(heads.named_parameters())[n]) for n, t in read.named_parameters()
    )
    assert PLACES in read.state_dict()


def test_another_methods_file_is_one_sentence_and_leaves_nothing(tmp_path, capsys):
    torch.save({"state_dict": {"other.weight": torch.zeros(2)}}, tmp_path / "x.ckpt")
    for name, said in (
        ("vqgan", "is no VQ-GAN: it has no tensor 'quantize.embedding.weight'"),
        ("flmm", "holds no heads of F-LMM"),
        ("clip", "nothing in"),
    ):
        out = tmp_path / name
        assert main(["convert", name, str(tmp_path / "x.ckpt"), f"out={out}"]) == 2
        assert said in capsys.readouterr().err
        assert not out.exists()


def transformers_clip(folder, act, heads=(2, 4)):
    import transformers

    tower = {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 2}
    torch.manual_seed(0)
    model = transformers.CLIPModel(
        transformers.CLIPConfig(
            vision_config={
                **tower,
                "num_attention_heads": heads[0],
                "image_size": 32,
                "patch_size": 8,
                "hidden_act": act,
            },
            text_config={
                **tower,
                "num_attention_heads": heads[1],
                "vocab_size": 49408,
                "max_position_embeddings": 77,
                "hidden_act": act,
                "eos_token_id": 49407,
            },
            projection_dim=16,
        )
    ).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(folder)
    return model


@pytest.mark.parametrize("act", ["quick_gelu", "gelu"])
def test_a_clip_of_transformers_sees_and_reads_as_it_did(tmp_path, act):
    model = transformers_clip(tmp_path / "hf", act)
    out = tmp_path / "clip"
    assert main(["convert", "clip", str(tmp_path / "hf"), f"out={out}"]) == 0
    clip = Clip.load(BackboneEntry("clip", "open_clip", str(out)))
    pixels = torch.rand(2, 3, 32, 32)
    ids = clip.tokenizer(["a photo of a cat", "two red dogs"])
    with torch.no_grad():
        seen = model.get_image_features(pixel_values=clip.preprocess(pixels))
        read = model.get_text_features(input_ids=ids)
    seen, read = (getattr(one, "pooler_output", one) for one in (seen, read))
    torch.testing.assert_close(clip.encode_image(pixels), seen, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(
        clip.encode_text(["a photo of a cat", "two red dogs"]), read, rtol=1e-4, atol=1e-4
    )


def test_an_archive_of_openai_is_read_with_its_activation(tmp_path, capsys):
    transformers_clip(tmp_path / "hf", "quick_gelu", heads=(1, 1))
    assert main(["convert", "clip", str(tmp_path / "hf"), f"out={tmp_path / 'one'}"]) == 0
    from safetensors.torch import load_file

    state = load_file(tmp_path / "one" / "open_clip_model.safetensors")
    archive({**state, "input_resolution": torch.tensor(32)}, tmp_path / "ViT.pt")
    out = tmp_path / "two"
    assert main(["convert", "clip", str(tmp_path / "ViT.pt"), f"out={out}"]) == 0
    config = json.loads((out / "open_clip_config.json").read_text())["model_cfg"]
    assert config["quick_gelu"] is True
    assert config["vision_cfg"]["image_size"] == 32
    again = load_file(out / "open_clip_model.safetensors")
    assert again.keys() == state.keys()
    assert all(torch.equal(again[name], tensor) for name, tensor in state.items())
    asked = ["convert", "clip", str(tmp_path / "ViT.pt"), "activation=gelu"]
    assert main([*asked, f"out={tmp_path / 'three'}"]) == 2
    assert "computes quick_gelu, and activation=gelu was asked for" in capsys.readouterr().err
    with pytest.raises(ValueError, match="frostbench convert clip"):
        Clip.load(BackboneEntry("clip", "open_clip", f"ViT-L-14:{tmp_path / 'ViT.pt'}"))


def test_converters_and_what_they_want_are_told(capsys):
    assert main(["convert"]) == 0
    said = capsys.readouterr().out
    assert "v2l: V2L-Tokenizer with its vocabularies" in said
    assert main(["convert", "v2l"]) == 0
    assert "frostbench convert v2l checkpoint=FILE global_words=FILE" in capsys.readouterr().out
    assert main(["convert", "v2l", "nowhere.pth", "out=x"]) == 2
    assert "global_words=FILE too" in capsys.readouterr().err
    assert main(["convert", "vqgan", "nowhere.pth", "out=x"]) == 2
    assert "there is no such file" in capsys.readouterr().err


def test_an_official_file_in_the_place_of_a_folder_names_the_command(tmp_path, capsys):
    torch.save({}, tmp_path / "last.ckpt")
    asked = ("methods=vqgan", "tasks=reconstruction", "limit=1", f"out={tmp_path / 'run'}")
    assert main(["run", *asked, f"method.vqgan.weights={tmp_path / 'last.ckpt'}"]) != 0
    assert "frostbench convert" in capsys.readouterr().err
