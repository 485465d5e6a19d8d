import shutil
import socket
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from language_models import language_model, model, tokenizer
from torch import nn

from frostbench.plugins.backbones import BackboneEntry, SharedBackbones, precision, weights
from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.backbones.checksum import checksum, fingerprints
from frostbench.plugins.backbones.devices import device_of, dtype_of
from frostbench.plugins.backbones.linears import FEWEST_ROWS, OneDnnLinear, speed_up_linears
from frostbench.plugins.backbones.shared import built_in
from frostbench.plugins.contract.method import Backbones


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("llm")
    model("lfm2").save_pretrained(place)
    tokenizer().save_pretrained(place)
    return place


@cache
def llama():
    return language_model("llama")


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "llm")


def entry(source, role="llm", **more):
    return BackboneEntry(role, "causal_lm", str(source), **more)


def test_a_backbone_is_loaded_when_it_is_first_asked_for_and_only_once():
    loads = []

    def loader(entry, device):
        loads.append((entry.role, device))
        return nn.Linear(2, 2)

    shared = SharedBackbones(
        [BackboneEntry(role, "mine", "x") for role in ("a", "b")],
        "cpu",
        {**built_in(), "mine": loader},
    )
    assert isinstance(shared, Backbones)
    assert not loads
    assert not shared.loaded()
    assert shared.get("a") is shared.get("a")
    assert loads == [("a", "cpu")]
    assert list(shared.loaded()) == ["a"]
    assert shared.parameters("a") == 6


def test_an_unknown_role_or_kind_is_answered_with_those_there_are():
    shared = SharedBackbones([BackboneEntry("llm", "causal_ml", "x")])
    with pytest.raises(LookupError, match="no backbone named 'lm'; there are llm"):
        shared.get("lm")
    with pytest.raises(LookupError, match=r"no kind of backbone named 'causal_ml'.*causal_lm"):
        shared.get("llm")


def test_a_language_model_comes_back_from_its_folder_frozen(folder):
    shared = SharedBackbones([entry(folder)])
    lm = shared.get("llm")
    assert isinstance(lm, CausalLM)
    assert not lm.model.training
    assert not any(p.requires_grad for p in lm.model.parameters())
    assert (lm.width, lm.vocabulary_size, lm.context_length) == (32, len(tokenizer()), 96)
    assert (lm.opening_ids, lm.eos_id, lm.eos_ids) == ((1,), 2, {2})
    made, ids = model("lfm2").eval(), torch.arange(40)[None]
    with torch.no_grad():
        assert torch.allclose(lm.model(ids).logits, made(ids).logits, atol=1e-4)


def test_a_language_model_runs_in_the_dtype_of_its_entry(folder):
    lm = CausalLM.load(entry(folder, dtype="bfloat16"))
    assert lm.dtype == torch.bfloat16
    assert lm.embed([3, 4]).dtype == torch.bfloat16


@pytest.mark.parametrize("kept", ["half", "byte"])
@pytest.mark.parametrize("family", ["lfm2", "llama"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_weights_of_fewer_bits_run_in_the_dtype_of_the_entry(tmp_path, family, kept, dtype):
    made = model(family).eval()
    made.config.dtype = "float16"
    made.generation_config.eos_token_id = [2, 5]
    made.save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    precision.write(tmp_path / "model.safetensors", made.state_dict(), kept)
    assert precision.in_bytes(tmp_path / "model.safetensors") == (kept == "byte")
    precision.rounded(made, kept)
    lm = CausalLM.load(entry(tmp_path, dtype=dtype))
    assert lm.dtype == dtype_of(dtype)
    assert lm.eos_ids == {2, 5}
    for name, tensor in made.state_dict().items():
        found = lm.model.state_dict()[name]
        torch.testing.assert_close(found, tensor.to(lm.dtype), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        (
            "lm_head.weight.scale",
            r"safetensors is damaged: lm_head\.weight .* wants lm_head\.weight",
        ),
        ("model.norm.weight", r"lack 1 tensors, model\.norm\.weight among them"),
        ("lm_head.weight", r"lack 1 tensors, lm_head\.weight among them"),
    ],
)
def test_a_byte_a_number_without_a_scale_or_a_tensor_is_refused(tmp_path, gone, said):
    made = model("llama")
    made.save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    tensors = precision.compact(made.state_dict(), "byte")
    del tensors[gone]
    weights.write(tmp_path / "model.safetensors", tensors)
    with pytest.raises(ValueError, match=said) as caught:
        CausalLM.load(entry(tmp_path))
    assert "\n" not in str(caught.value)


@given(text=st.text(max_size=20))
def test_text_survives_encoding_and_decoding_without_special_tokens(text):
    lm = llama()
    ids = lm.encode(text)
    assert not {0, 1, 2} & set(ids) or "<" in text
    assert lm.decode(ids) == text
    assert lm.embed(ids).shape == (len(ids), 32)


def test_an_id_outside_the_vocabulary_has_no_embedding():
    with pytest.raises(IndexError, match="no token 300: ids run from 0 to 299"):
        llama().embed([3, 300])


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"no language model at .*nowhere: a folder with config"):
        CausalLM.load(entry(tmp_path / "nowhere"))


def test_a_hub_id_that_is_not_on_this_machine_is_not_downloaded(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: pytest.fail("the network was asked"))
    with pytest.raises(ValueError, match="no language model 'nobody/nothing' in the local"):
        CausalLM.load(entry("nobody/nothing"))


def test_a_weight_file_cut_short_is_named(copy):
    file = copy / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"model\.safetensors .*is cut short") as caught:
        CausalLM.load(entry(copy))
    assert "\n" not in str(caught.value)


def test_weights_without_a_tensor_are_refused_rather_than_left_random(copy):
    from safetensors.torch import load_file, save_file

    file = copy / "model.safetensors"
    tensors = load_file(file)
    gone = next(name for name in tensors if "layers.1" in name)
    save_file({n: t for n, t in tensors.items() if n != gone}, file, {"format": "pt"})
    with pytest.raises(ValueError, match=f"lack 1 tensors, {gone} among them"):
        CausalLM.load(entry(copy))


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_a_damaged_description_ends_in_one_sentence(copy, name):
    (copy / name).write_text("{")
    with pytest.raises(ValueError, match="no language model can be loaded from") as caught:
        CausalLM.load(entry(copy))
    assert "\n" not in str(caught.value)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 4)
        self.norm = nn.BatchNorm1d(4)
        self.register_buffer("hidden", torch.arange(3.0), persistent=False)


@given(which=st.integers(0, 7), bump=st.booleans())
def test_a_checksum_changes_if_and_only_if_a_number_does(which, bump):
    net = Net()
    shared = SharedBackbones([BackboneEntry("net", "mine", "")], "cpu", {"mine": lambda e, d: net})
    before, one = shared.checksum("net"), shared.fingerprints("net")
    names = sorted(one)
    assert names == sorted([*dict(net.named_parameters()), *dict(net.named_buffers())])
    tensor = (
        net.get_parameter(names[which])
        if names[which] in dict(net.named_parameters())
        else (net.get_buffer(names[which]))
    )
    if bump:
        tensor.data.view(-1)[-1:] += 1
    assert (shared.checksum("net") != before) == bump
    assert shared.changed("net", one) == ([names[which]] if bump else [])


def test_equal_numbers_of_another_type_or_shape_have_another_checksum():
    plain = nn.Linear(2, 2, bias=False)
    nn.init.zeros_(plain.weight)
    flat = nn.Linear(4, 1, bias=False)
    nn.init.zeros_(flat.weight)
    assert len({checksum(plain), checksum(flat), checksum(plain.double())}) == 3


@given(rows=st.integers(1, 3 * FEWEST_ROWS), bias=st.booleans(), batch=st.integers(1, 3))
@settings(max_examples=25)
def test_a_linear_layer_through_onednn_gives_what_torchs_own_gives(rows, bias, batch):
    torch.manual_seed(rows)
    holder = nn.Sequential(nn.Linear(24, 40, bias=bias))
    weight, x = holder[0].weight, torch.randn(batch, rows, 24)
    plain = holder(x).detach()
    assert speed_up_linears(holder) == 1
    assert isinstance(holder[0], OneDnnLinear)
    assert holder[0].weight is weight
    with torch.no_grad():
        assert torch.allclose(holder(x), plain, atol=1e-5)
    assert holder(x).requires_grad


def test_faster_layers_leave_names_ties_and_checksums_as_they_are():
    made = model("lfm2")
    before = fingerprints(made)
    lm = CausalLM(made, tokenizer())
    assert fingerprints(lm.model) == before
    assert lm.model.get_input_embeddings().weight is lm.model.get_output_embeddings().weight


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "cuda:x", "cpu:0"])
def test_an_unknown_device_is_answered_with_those_there_are(name):
    with pytest.raises(ValueError, match=f"no device named '{name}'; there are cpu"):
        device_of(name)


def test_devices_and_types_go_by_name():
    assert device_of("cpu") == torch.device("cpu")
    assert dtype_of("bfloat16") is torch.bfloat16
    with pytest.raises(ValueError, match="no dtype named 'int8'; there are float32"):
        dtype_of("int8")
