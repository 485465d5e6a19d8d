import copy
import functools
import types

import pytest
import torch
import transformers
from frozen_world import halve, llama
from torch import nn
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.llama import modeling_llama

from frostbench.plugins.backbones.certificate import Certificate
from frostbench.plugins.backbones.surroundings import Surroundings


def attention(lm):
    return lm.model.model.layers[0].self_attn


def weight(lm):
    return attention(lm).q_proj.weight


def replaced(module, name, value):
    module._parameters[name] = value


def swapped(modules, first, second):
    modules._modules[first] = modules._modules.pop(first)
    assert [*modules._modules] == [second, first]


def retyped(module):
    module.__class__ = type("Other", (type(module),), {})


def written(tensor):
    tensor.data.view(-1)[:] = 7.0


DEEDS = {
    "a forward hook was added to the backbone": lambda lm: lm.model.register_forward_hook(print),
    "a forward hook was added to 'model.layers.0'": lambda lm: lm.model.model.layers[
        0
    ].register_forward_hook(print),
    "a forward pre-hook was added to 'lm_head'": lambda lm: (
        lm.model.lm_head.register_forward_pre_hook(print)
    ),
    "a backward hook was added to 'lm_head'": lambda lm: (
        lm.model.lm_head.register_full_backward_hook(print)
    ),
    "a state-dict hook was added to 'lm_head'": lambda lm: (
        lm.model.lm_head.register_state_dict_post_hook(lambda *_: None)
    ),
    "'forward' was added to 'lm_head'": lambda lm: setattr(lm.model.lm_head, "forward", print),
    "'scaling' of 'model.layers.0.self_attn' was": lambda lm: setattr(
        attention(lm), "scaling", 0.0
    ),
    "the tensor 'model.layers.0.self_attn.q_proj.weight' was written to": lambda lm: halve(
        weight(lm)
    ),
    "the tensor 'model.layers.0.mlp.up_proj.weight' was written to": lambda lm: written(
        lm.model.model.layers[0].mlp.up_proj.weight
    ),
    "the tensor 'model.norm.weight' was given other data": lambda lm: setattr(
        lm.model.model.norm.weight, "data", torch.ones(32)
    ),
    "the tensor 'model.norm.weight' now asks for gradients": lambda lm: (
        lm.model.model.norm.weight.requires_grad_()
    ),
    "the parameter 'model.norm.weight' was replaced": lambda lm: replaced(
        lm.model.model.norm, "weight", nn.Parameter(torch.ones(32))
    ),
    "the buffer 'lm_head.more' was added": lambda lm: lm.model.lm_head.register_buffer(
        "more", torch.ones(1)
    ),
    "the tensor 'model.rotary_emb.inv_freq' was written to": lambda lm: (
        lm.model.model.rotary_emb.inv_freq.mul_(2)
    ),
    "the module 'model.layers.0.self_attn.q_proj' was replaced": lambda lm: setattr(
        attention(lm), "q_proj", copy.deepcopy(attention(lm).q_proj)
    ),
    "the modules of 'model.layers' were put in another order": lambda lm: swapped(
        lm.model.model.layers, "0", "1"
    ),
    "'model.norm' was made a Other": lambda lm: retyped(lm.model.model.norm),
    "'model.norm' was put into training mode": lambda lm: lm.model.model.norm.train(),
    "'rms_norm_eps' of 'config' was": lambda lm: setattr(lm.model.config, "rms_norm_eps", 0.5),
    "'eos_token_id' of 'generation_config' was": lambda lm: setattr(
        lm.model.generation_config, "eos_token_id", 77
    ),
    "2 words were added to the tokenizer": lambda lm: lm.tokenizer.add_tokens(["zebra", "yak"]),
    "'padding_side' of 'tokenizer' was": lambda lm: setattr(lm.tokenizer, "padding_side", "left"),
    "'chat_template' of 'tokenizer' was": lambda lm: setattr(lm.tokenizer, "chat_template", "x"),
    "the settings of the tokenizer": lambda lm: setattr(
        lm.tokenizer._tokenizer, "normalizer", lowercase()
    ),
    "'eos_ids' of the backbone was replaced": lambda lm: setattr(lm, "eos_ids", frozenset({5})),
    "'encode' was added to the backbone": lambda lm: setattr(lm, "encode", list),
}


def lowercase():
    from tokenizers.normalizers import Lowercase

    return Lowercase()


@pytest.fixture(scope="module")
def fresh():
    return llama()


@pytest.mark.parametrize("clause", DEEDS)
def test_whatever_an_answer_depends_on_is_certified_and_named(clause):
    lm = llama()
    certificate = Certificate(lm)
    assert certificate.changes() == []
    assert certificate.holds(thorough=False)
    DEEDS[clause](lm)
    if "gradients" not in clause and "settings" not in clause:
        assert not certificate.holds(thorough=False)
    said = certificate.changes()
    assert said[0].startswith(clause), said


def test_what_a_model_does_itself_is_no_change():
    lm = llama()
    certificate = Certificate(lm)
    lm.encode("a dog on the mat")
    lm.decode([5, 6, 7])
    lm.tokenizer(["a dog", "a"], padding=True, truncation=True, max_length=3, return_tensors="pt")
    with torch.no_grad():
        lm.model(torch.tensor([[5, 6, 7]]), use_cache=True)
    assert certificate.changes() == []
    assert certificate.bytes_read > 0


def test_rotary_positions_that_are_worked_out_anew_are_no_change():
    from transformers import AutoModelForCausalLM, LlamaConfig

    config = LlamaConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=1,
        num_attention_heads=4,
        max_position_embeddings=8,
        rope_parameters={"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10_000.0},
    )
    model = AutoModelForCausalLM.from_config(config).eval().requires_grad_(False)
    certificate = Certificate(types.SimpleNamespace(model=model))
    before = model.model.rotary_emb.inv_freq.clone()
    model(torch.arange(32)[None])
    assert not torch.equal(model.model.rotary_emb.inv_freq, before)
    assert certificate.changes() == []
    model.model.rotary_emb.forward = print
    assert certificate.changes()


class Kept:
    grows = ("kept",)

    def __init__(self):
        self.model = nn.Linear(2, 2)
        self.kept = {}


def test_a_cache_may_grow_and_shrink_and_its_entries_may_not_change():
    backbone = Kept()
    certificate = Certificate(backbone)
    backbone.kept["a"] = torch.zeros(3)
    backbone.kept["b"] = torch.zeros(3)
    assert certificate.changes() == []
    certificate.look_at_caches()
    del backbone.kept["a"]
    assert certificate.changes() == []
    backbone.kept["b"].add_(1)
    assert certificate.changes() == ["what was kept in 'kept' was changed"]


@pytest.mark.parametrize("made", [torch.zeros, lambda n: (torch.zeros(n), "a note")])
def test_an_entry_may_go_and_come_again_as_it_was(made):
    backbone = Kept()
    certificate = Certificate(backbone)
    backbone.kept["a"] = made(3)
    certificate.look_at_caches()
    backbone.kept["a"] = made(3)
    assert certificate.changes() == []
    backbone.kept["a"] = torch.ones(3)
    assert certificate.changes() == ["what was kept in 'kept' was changed"]


def test_what_no_look_shows_is_told_from_what_looks_show():
    network = nn.Sequential(nn.Linear(300, 300), nn.Linear(300, 300), nn.Linear(3, 3))
    certificate = Certificate(network)
    network[0].weight.data[17, 3] += 1
    assert certificate.changes() == []
    halve(network[1].weight)
    network[2].weight = nn.Parameter(torch.ones(3, 3))
    changed = ["0.weight", "1.weight", "2.weight"]
    assert certificate.unseen(changed) == ["0.weight"]


def test_a_write_that_torch_does_not_count_is_seen_where_it_is_large():
    tensor = nn.Linear(300, 300)
    certificate = Certificate(tensor)
    tensor.weight.data.mul_(0.5)
    assert certificate.changes() == ["the tensor 'weight' was written to"]
    tensor.weight.data.mul_(2)
    assert certificate.changes() == []


AROUND = {
    "'forward' of class LlamaAttention was replaced": lambda: setattr(
        modeling_llama.LlamaAttention, "forward", print
    ),
    "'__call__' of class LlamaMLP was added": lambda: setattr(
        modeling_llama.LlamaMLP, "__call__", print
    ),
    "'silu' of module torch.nn.functional was replaced": lambda: setattr(
        nn.functional, "silu", print
    ),
    "'apply_rotary_pos_emb' of module transformers.models.llama.modeling_llama was": lambda: (
        setattr(modeling_llama, "apply_rotary_pos_emb", print)
    ),
    "'range' of module transformers.models.llama.modeling_llama was added": lambda: setattr(
        modeling_llama, "range", print
    ),
    "'sdpa' of transformers.modeling_utils.AttentionInterface._global_mapping was": lambda: (
        ALL_ATTENTION_FUNCTIONS.register("sdpa", print)
    ),
    "'sdpa' of transformers.modeling_utils.ALL_ATTENTION_FUNCTIONS._local_mapping was": lambda: (
        ALL_ATTENTION_FUNCTIONS.update({"sdpa": print})
    ),
    "a global forward hook was added to all modules": lambda: (
        nn.modules.module.register_module_forward_hook(print)
    ),
    "the code of 'rotate_half' in transformers.models.llama.modeling_llama was": lambda: setattr(
        modeling_llama.rotate_half, "__code__", (lambda x: x).__code__
    ),
    "torch's default dtype was": lambda: torch.set_default_dtype(torch.float64),
    "torch's oneDNN was": lambda: setattr(torch.backends.mkldnn, "enabled", False),
    "'encode' of class CausalLM was replaced": lambda: setattr(
        __import__("frostbench.plugins.backbones.causal_lm", fromlist=["_"]).CausalLM,
        "encode",
        print,
    ),
}


@pytest.mark.parametrize("clause", AROUND)
def test_what_all_models_run_on_is_certified_and_put_back(clause, fresh):
    around = Surroundings()
    around.cover("llm", Certificate(fresh).classes)
    answer = fresh.model(torch.tensor([[5, 6, 7]])).logits
    assert around.changes() == []
    try:
        AROUND[clause]()
        said = around.changes()
    finally:
        around.restore()
    assert said[0].startswith(clause), said
    assert around.changes() == []
    assert torch.equal(fresh.model(torch.tensor([[5, 6, 7]])).logits, answer)


def test_what_libraries_import_and_register_is_no_change(fresh):
    around = Surroundings()
    around.cover("llm", Certificate(fresh).classes)
    try:
        modeling_llama.something_new = print
        ALL_ATTENTION_FUNCTIONS.register("something_new", print)
        assert around.changes() == []
    finally:
        del modeling_llama.something_new
        ALL_ATTENTION_FUNCTIONS._global_mapping.pop("something_new")


def of(module, around=None):
    """A function as if that module had defined it, over another one."""
    made = types.FunctionType((lambda *given: given).__code__, vars(module))
    return made if around is None else functools.wraps(around)(made)


def test_what_libraries_give_classes_and_wrap_when_first_needed_is_no_change(fresh, monkeypatch):
    around = Surroundings()
    around.cover("llm", Certificate(fresh).classes)
    monkeypatch.setattr(nn.Module, "apply_later", of(transformers.modeling_utils), raising=False)
    monkeypatch.setattr(torch, "manual_seed", of(torch.random, torch.manual_seed))
    assert around.changes() == []
    monkeypatch.setattr(nn.Module, "apply_never", lambda module: module, raising=False)
    assert around.changes() == ["'apply_never' of class Module was added"]
    monkeypatch.delattr(nn.Module, "apply_never")
    known = torch.manual_seed
    monkeypatch.setattr(torch, "manual_seed", functools.wraps(known)(lambda seed: None))
    assert around.changes() == ["'manual_seed' of module torch was replaced"]
    monkeypatch.setattr(torch, "manual_seed", torch.initial_seed)
    assert around.changes() == ["'manual_seed' of module torch was replaced"]
