"""A model folder that brings code: none of it is run, and nothing is asked on standard input."""

import io
import json
import shutil
import sys

import pytest

from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.backbones.clip import Clip
from frostbench.plugins.backbones.entry import BackboneEntry
from frostbench.plugins.backbones.lmm import LMM
from frostbench.plugins.backbones.masked_lm import MaskedLM
from frostbench.plugins.backbones.pretrained import load_network
from frostbench.plugins.host.packs import embedded_pack

EVIL = """
from pathlib import Path
Path({mark!r}).write_text("ran")
from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerFast
class Config(PreTrainedConfig):
    model_type = "evil"
class Model(PreTrainedModel):
    config_class = Config
class Tokenizer(PreTrainedTokenizerFast):
    pass
"""
AUTO = {
    "AutoConfig": "evil.Config",
    "AutoModel": "evil.Model",
    "AutoModelForCausalLM": "evil.Model",
    "AutoModelForMaskedLM": "evil.Model",
    "AutoModelForImageTextToText": "evil.Model",
    "AutoProcessor": "evil.Tokenizer",
}


@pytest.fixture
def mark(tmp_path, monkeypatch):
    """A file that the folder's code would write; whoever asks is answered yes, again and again."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n" * 99))
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    return tmp_path / "ran"


def folder_of(tmp_path, mark, config, tokenizer=None):
    folder = tmp_path / "model"
    folder.mkdir(exist_ok=True)
    (folder / "evil.py").write_text(EVIL.format(mark=str(mark)))
    (folder / "config.json").write_text(json.dumps({**config, "auto_map": AUTO}))
    if tokenizer is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    return folder


@pytest.mark.parametrize("kind", [CausalLM, MaskedLM, LMM])
def test_code_of_a_model_folder_is_never_run(tmp_path, mark, kind):
    folder = folder_of(tmp_path, mark, {"model_type": "evil"})
    with pytest.raises(ValueError, match=r"brings code of its own.*never run: take a version"):
        kind.load(BackboneEntry("llm", "kind", str(folder)))
    assert not mark.exists()


def test_code_of_a_tokenizer_is_never_run(tmp_path, mark):
    folder = tmp_path / "model"
    shutil.copytree(embedded_pack("mini") / "llm", folder)
    (folder / "evil.py").write_text(EVIL.format(mark=str(mark)))
    path = folder / "tokenizer_config.json"
    own = json.loads(path.read_text()) if path.exists() else {}
    own |= {"auto_map": {"AutoTokenizer": ["evil.Tokenizer", None]}, "tokenizer_class": "Evil"}
    path.write_text(json.dumps(own))
    with pytest.raises(ValueError, match="brings code of its own"):
        CausalLM.load(BackboneEntry("llm", "causal_lm", str(folder)))
    assert not mark.exists()


def test_code_beside_a_known_architecture_is_passed_over(tmp_path, mark):
    folder = tmp_path / "model"
    shutil.copytree(embedded_pack("mini") / "llm", folder)
    (folder / "evil.py").write_text(EVIL.format(mark=str(mark)))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "auto_map": AUTO}))
    load_network("AutoModelForCausalLM", BackboneEntry("llm", "k", str(folder)), "cpu", "model")
    assert not mark.exists()


@pytest.mark.parametrize("trusted", [{}, {"tokenizer_kwargs": {"trust_remote_code": True}}])
@pytest.mark.parametrize("part", ["tokenizer", "hf_model_name"])
def test_code_that_a_clip_names_is_never_run(tmp_path, mark, trusted, part):
    auto = {"auto_map": {"AutoTokenizer": ["evil.Tokenizer", None]}, "tokenizer_class": "Evil"}
    evil = folder_of(tmp_path, mark, {"model_type": "evil"}, auto)
    folder = tmp_path / "clip"
    shutil.copytree(embedded_pack("mini") / "clip", folder)
    path = folder / "open_clip_config.json"
    config = json.loads(path.read_text())
    config["model_cfg"]["text_cfg"] |= trusted
    if part == "tokenizer":
        for name in ("tokenizer_config.json", "evil.py", "config.json"):
            shutil.copy(evil / name, folder / name)
    else:
        config["model_cfg"]["text_cfg"]["hf_model_name"] = str(evil)
    path.write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"brings code of its own|no CLIP can be loaded"):
        Clip.load(BackboneEntry("clip", "open_clip", str(folder)))
    assert not mark.exists()


def test_an_adapter_names_no_module_to_import(tmp_path, monkeypatch):
    from types import SimpleNamespace

    from frostbench.plugins.backbones.adapters import _check_config

    config = SimpleNamespace(
        peft_type="LORA",
        bias="none",
        megatron_config={"a": 1},
        modules_to_save=None,
        init_lora_weights=True,
    )
    with pytest.raises(ValueError, match="megatron_config"):
        _check_config(config, "adapter 'x'")
