import json
import random
from functools import cache

import pytest
import torch
from language_models import One, language_model
from safetensors.torch import load_file, save_file

from frostbench.plugins.backbones.adapters import (
    LoraSettings,
    adapted,
    new_adapter,
    save_adapter,
    shared_copy,
)
from frostbench.plugins.backbones.checksum import checksum
from frostbench.plugins.contract.completions import Chosen, Failed
from frostbench.plugins.contract.prompts import Adapter, Choose, Generate, Ids, Prompt, Text, Trie
from frostbench.plugins.engine import FrozenEngine

FAMILIES = ("llama", "lfm2", "gpt2")
TARGETS = {"gpt2": ("c_attn",)}


@cache
def lm(family):
    return language_model(family)


@cache
def engine(family):
    return FrozenEngine(One(lm(family)))


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    """Makes an adapter of a family: a random one, or one without effect."""

    @cache
    def make(family, effect=True, rank=4):
        lora = LoraSettings(rank=rank, targets=TARGETS.get(family, ("q_proj", "k_proj", "v_proj")))
        model = new_adapter(lm(family), lora)
        torch.manual_seed(3)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if effect and "lora_B" in name:
                    parameter.normal_(0, 0.2)
        folder = tmp_path_factory.mktemp(family)
        save_adapter(model, folder)
        return Adapter(f"{family}'s", folder)

    return make


def prompts(adapter=None, count=4):
    draw = random.Random(5)
    asks = (Generate(4), Choose(("cat", "the mat", "doghouse")), Generate(9, Trie(("cat", "cats"))))
    return [
        Prompt(
            (Text("a cat "), Ids(tuple(draw.randrange(3, 300) for _ in range(draw.randrange(9))))),
            asks[i % 3],
            adapter=adapter,
        )
        for i in range(count)
    ]


def said(completion):
    return completion.index if isinstance(completion, Chosen) else completion.ids


def same(one, other):
    assert said(one) == said(other)
    assert one.logprobs == pytest.approx(other.logprobs, abs=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_adapted_and_plain_prompts_in_one_call_are_answered_as_alone(family, adapter):
    plain, under = prompts(), prompts(adapter(family))
    together = engine(family).run([one for pair in zip(plain, under, strict=True) for one in pair])
    for answers, alone in (
        (together[::2], engine(family).run(plain)),
        (together[1::2], engine(family).run(under)),
    ):
        for one, other in zip(answers, alone, strict=True):
            same(one, other)
    same(together[1], engine(family).run(under[:1])[0])
    assert any(
        one.logprobs != pytest.approx(other.logprobs, abs=1e-2)
        for one, other in zip(together[::2], together[1::2], strict=True)
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_an_adapter_without_effect_answers_like_the_frozen_model(family, adapter):
    nothing = adapter(family, effect=False)
    answers = zip(engine(family).run(prompts()), engine(family).run(prompts(nothing)), strict=True)
    for one, other in answers:
        same(one, other)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_frozen_model_keeps_its_modules_names_and_numbers(family, adapter):
    model = lm(family).model
    names, modules = list(model.state_dict()), {k: type(m) for k, m in model.named_modules()}
    before = checksum(model)
    engine(family).run(prompts(adapter(family)))
    assert list(model.state_dict()) == names
    assert {k: type(m) for k, m in model.named_modules()} == modules
    assert checksum(model) == before
    assert not any(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("family", FAMILIES)
def test_all_but_the_adapter_is_the_memory_of_the_frozen_model(family, adapter):
    base = lm(family).model
    under = adapted(lm(family), adapter(family)).model
    held = {p.data_ptr() for p in (*base.parameters(), *base.buffers())}
    tensors = dict([*under.named_parameters(), *under.named_buffers()])
    own = {name for name, p in tensors.items() if p.data_ptr() not in held}
    assert own
    assert all(".lora_" in name for name in own)
    assert len(tensors) - len(own) == len(dict([*base.named_parameters(), *base.named_buffers()]))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_may_be_used_under_an_adapter_as_it_may_without(family, adapter):
    assert engine(family).traits("llm", adapter(family)) == engine(family).traits("llm")


@pytest.mark.parametrize("family", ["llama", "lfm2"])
def test_the_answer_is_that_of_peft_on_the_whole_model(family, adapter):
    from peft import PeftModel

    with torch.no_grad():
        ids = torch.arange(20, 30)[None]
        ours = adapted(lm(family), adapter(family)).model(input_ids=ids).logits
        whole = language_model(family).model
        theirs = PeftModel.from_pretrained(whole, adapter(family).folder)(input_ids=ids).logits
        bare = lm(family).model(input_ids=ids).logits
    assert torch.allclose(ours, theirs, atol=1e-5)
    assert not torch.allclose(ours, bare, atol=1e-2)


def test_saving_the_same_adapter_twice_gives_the_same_bytes(adapter, tmp_path):
    model = new_adapter(lm("llama"), LoraSettings())
    for name in ("one", "two"):
        save_adapter(model, tmp_path / name)
    one, two = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("one", "two")
    )
    assert one == two
    assert set(one) == {"adapter_config.json", "adapter_model.safetensors"}
    assert json.loads(one["adapter_config.json"])["base_model_name_or_path"] is None


def test_a_new_adapter_has_the_published_sizes_and_alone_is_trained():
    model = new_adapter(lm("llama"), LoraSettings())
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    layers = {name.split(".")[-4] for name in trained}
    assert layers == {"q_proj", "k_proj"}
    assert sum(p.numel() for p in trained.values()) == 2 * (4 * (32 + 32) + 4 * (32 + 16))
    config = model.active_peft_config
    assert (config.r, config.lora_alpha, config.lora_dropout) == (4, 32, 0.0)
    assert shared_copy(lm("llama").model) is not lm("llama").model


def config_of(folder, **values):
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def other_kind(folder):
    config = {"peft_type": "IA3", "target_modules": ["k_proj"], "feedforward_modules": []}
    (folder / "adapter_config.json").write_text(json.dumps(config))


def no_folder(folder):
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def extra_weights(folder):
    path = folder / "adapter_model.safetensors"
    save_file({**load_file(path), "base_model.model.lm_head.weight": torch.zeros(2, 2)}, path)


def cut_short(folder):
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-9])


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (no_folder, "no folder"),
        (lambda folder: (folder / "adapter_config.json").unlink(), "lacks adapter_config.json"),
        (lambda folder: (folder / "adapter_model.safetensors").unlink(), "lacks adapter_model"),
        (lambda folder: (folder / "adapter_config.json").write_text("{"), "cannot be read"),
        (other_kind, "is no LoRA but IA3"),
        (lambda folder: config_of(folder, bias="all"), "changes weights of the frozen model (bias"),
        (lambda folder: config_of(folder, init_lora_weights="pissa"), "(init_lora_weights 'pissa'"),
        (lambda folder: config_of(folder, target_modules=["wq"]), "does not fit language model"),
        (lambda folder: config_of(folder, r=3), "of another shape"),
        (extra_weights, "1 unexpected"),
        (cut_short, "cut short"),
    ],
)
def test_a_bad_adapter_fails_its_prompts_alone_in_one_sentence(spoil, reason, tmp_path):
    save_adapter(new_adapter(lm("llama"), LoraSettings()), tmp_path / "mine")
    spoil(tmp_path / "mine")
    asked = Adapter("the one", tmp_path / "mine")
    good, failed = engine("llama").run([*prompts(count=1), *prompts(asked, 1)])
    same(good, engine("llama").run(prompts(count=1))[0])
    assert isinstance(failed, Failed)
    assert reason in failed.reason
    assert str(tmp_path / "mine") in failed.reason
    assert "\n" not in failed.reason
    assert spoil is cut_short or "'the one'" in failed.reason


def test_an_adapter_of_a_wider_model_names_both_widths(adapter, tmp_path):
    from transformers import LlamaConfig, LlamaForCausalLM

    from frostbench.plugins.backbones.causal_lm import CausalLM

    config = LlamaConfig(
        vocab_size=300,
        hidden_size=48,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    wide = CausalLM(LlamaForCausalLM(config), lm("llama").tokenizer, "wide")
    (failed,) = FrozenEngine(One(wide)).run(prompts(adapter("llama"), 1))
    assert "does not fit language model wide (embeddings of width 48)" in failed.reason
    assert "(4, 32) instead of (4, 48)" in failed.reason


def test_an_adapter_s_sizes_are_checked():
    for wrong in ({"rank": 0}, {"targets": ()}, {"dropout": 1.0}):
        with pytest.raises(ValueError, match="rank of at least 1"):
            LoraSettings(**wrong)
