"""Readers of published files know every name and shape in them, at the published sizes."""

from pathlib import Path

import published_names as published
import pytest
import torch
import transformers
from multimodal_models import model, processor
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import load_file, save_file
from segment_anything import sam_model_registry

from frostbench.baselines.flmm.convert import sizes_of as heads_of
from frostbench.baselines.flmm.model import Heads
from frostbench.baselines.lm4lv.checkpoint import load_published
from frostbench.baselines.lqae.checkpoint import translated
from frostbench.baselines.lqae.model import LQAE, LQAESettings
from frostbench.baselines.vqgan.convert import sizes_of as vqgan_of
from frostbench.baselines.vqgan.model import VQGAN
from frostbench.plugins.backbones.clip_published import model_of, renamed
from frostbench.plugins.backbones.entry import BackboneEntry
from frostbench.plugins.backbones.lmm import LMM
from frostbench.plugins.backbones.sam_sizes import VIT_L, build_sam
from frostbench.v2l.convert import sizes_of as v2l_of
from frostbench.v2l.model import V2LTokenizer


@pytest.fixture(autouse=True)
def _without_numbers():
    """Names and shapes alone are made."""
    with torch.device("meta"):
        yield


def tensors(names):
    return {name: torch.empty(shape) for name, shape in names}


def shapes(named):
    return {name: tuple(tensor.shape) for name, tensor in named}


@pytest.mark.parametrize(
    ("name", "count"), [("f16-1024", 343), ("f16-16384", 343), ("f8-gumbel", 301)]
)
def test_vqgan(name, count):
    state = tensors(published.vqgan(name))
    assert len(state) == count
    made = VQGAN(vqgan_of(state, "a file"))
    assert shapes(made.state_dict().items()) == shapes(state.items())


def test_v2l():
    state = tensors(published.v2l())
    assert len(state) == 257
    made = V2LTokenizer(v2l_of(state, "a file"))
    assert shapes(made.state_dict().items()) == shapes(state.items())


def test_lqae():
    state = tensors(published.lqae())
    assert len(state) == 389
    with torch.device("meta"):
        made = LQAE(LQAESettings(ban_special=False))
    assert shapes(made.state_dict().items()) == shapes(translated(state).items())


def test_flmm():
    state = tensors(published.flmm(1024, 32, 4096))
    sam = sam_model_registry["vit_l"]()
    sam.image_encoder.requires_grad_(False)
    trained = [(name, p) for name, p in sam.named_parameters() if p.requires_grad]
    state |= {f"sam.model.{name}": parameter for name, parameter in trained}
    assert len(state) == 192
    made = Heads(heads_of(state, "a file"), build_sam(VIT_L))
    assert shapes(made.named_parameters()) == shapes(state.items())


def llama():
    return transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=32000,
            hidden_size=4096,
            intermediate_size=11008,
            num_hidden_layers=32,
            num_attention_heads=32,
        )
    )


def test_a_language_model_of_7b():
    assert shapes(llama().state_dict().items()) == dict(published.llama())


def test_lm4lv_with_the_lora_of_a_language_model_of_7b(tmp_path):
    """Tensors of one number each, which look as large as the published ones."""
    targets = ["q_proj", "k_proj", "v_proj", "o_proj"]
    lora = get_peft_model(llama(), LoraConfig(r=32, lora_alpha=64, target_modules=targets))
    kept = shapes(get_peft_model_state_dict(lora).items())
    names = {
        "adapter.weight": (4096, 1024),
        "adapter.bias": (4096,),
        "deadapter.weight": (1024, 4096),
        "deadapter.bias": (1024,),
        "learnable_task_token": (1, 10, 4096),
    }
    for number in range(32):
        for part in targets:
            layer = f"llama_model.base_model.model.model.layers.{number}.self_attn.{part}"
            names[f"{layer}.lora_A.default.weight"] = (32, 4096)
            names[f"{layer}.lora_B.default.weight"] = (4096, 32)
    one = torch.zeros(1, dtype=torch.bfloat16, device="cpu")
    torch.save({n: one.expand(s) for n, s in names.items()}, tmp_path / "pytorch_model.pt")
    with torch.device("cpu"):
        adapters, read = load_published(tmp_path / "pytorch_model.pt")
    assert shapes(adapters.named_parameters()) == dict(list(names.items())[:5])
    assert shapes(read.items()) == kept
    assert len(kept) == 256


def test_openais_clip_and_that_of_transformers():
    from open_clip import CLIP

    state = tensors(published.openai_clip())
    made = CLIP(**model_of(state, True, None, Path("a file")))
    assert shapes(made.state_dict().items()) == shapes(state.items())
    config = transformers.CLIPConfig(
        vision_config={
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "patch_size": 14,
        },
        text_config={"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12},
        projection_dim=768,
    )
    config.text_config.num_hidden_layers = 12
    given = renamed(dict(transformers.CLIPModel(config).state_dict()))
    assert shapes(given.items()) == shapes(state.items())


def test_llava_under_the_names_of_its_published_files(tmp_path):
    with torch.device("cpu"):
        network = model("llava")
        network.save_pretrained(tmp_path)
        processor("llava").save_pretrained(tmp_path)
        state = load_file(tmp_path / "model.safetensors")
        old = {
            name.replace("vision_tower.", "vision_tower.vision_model.")
            if "vision_tower.vision_model." not in name
            else name: tensor
            for name, tensor in state.items()
        }
        beginnings = ("language_model.model.", "language_model.lm_head.", "multi_modal_projector.")
        assert all(name.startswith((*beginnings, "vision_tower.vision_model.")) for name in old)
        save_file(old, tmp_path / "model.safetensors", {"format": "pt"})
        read = LMM.load(BackboneEntry("lmm", "lmm", str(tmp_path)))
    kept = read.model.state_dict()
    assert all(torch.equal(kept[name], t) for name, t in network.state_dict().items())
