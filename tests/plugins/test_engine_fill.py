"""Placeholders in groups, held against each group alone after the whole prompt, without a cache."""

from functools import cache

import pytest
import torch
import transformers as hf
from hypothesis import given, settings
from hypothesis import strategies as st
from language_models import FAMILIES, One, language_model, tokenizer
from multimodal_models import FAMILIES as MULTIMODAL
from multimodal_models import lmm, picture
from multimodal_models import prompt as multimodal_prompt

from frostbench.plugins.backbones.adapters import (
    LoraSettings,
    adapted,
    new_adapter,
    save_adapter,
)
from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.contract.completions import Failed, Filled
from frostbench.plugins.contract.prompts import Adapter, Fill, Generate, Ids, Prompt, Vectors
from frostbench.plugins.engine import EngineSettings, FrozenEngine
from frostbench.plugins.engine.packed import decoder_of, halo_of, packed_states
from frostbench.plugins.engine.resolve import resolve
from frostbench.plugins.engine.traits import packing_halo

WIDTH = 32
ROUNDING = 1e-5  # relative; what differs is the order of sums
MODELS = (*FAMILIES, "deep lfm2")


@cache
def lm(family):
    if family != "deep lfm2":
        return language_model(family)
    kinds = ["conv", "conv", "full_attention", "conv", "full_attention", "conv"]
    config = hf.Lfm2Config(
        vocab_size=len(tokenizer()),
        hidden_size=WIDTH,
        intermediate_size=48,
        num_hidden_layers=len(kinds),
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=96,
        initializer_range=0.3,
        layer_types=kinds,
        block_auto_adjust_ff_dim=False,
    )
    torch.manual_seed(0)
    return CausalLM(hf.Lfm2ForCausalLM(config), tokenizer(), family)


def drawn(*shape, seed=0):
    return torch.randn(*shape, WIDTH, generator=torch.Generator().manual_seed(seed))


def tokens(count, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return tuple(torch.randint(3, 300, (count,), generator=draw).tolist())


def asked(count, g, n, seed=0, adapter=None):
    return Prompt((Ids(tokens(count, seed)),), Fill(drawn(g, n, seed=seed)), adapter=adapter)


def plain(lm, prompt):
    """Each group as a row of its own with the whole prompt, in one forward without a cache."""
    ids = [*lm.opening_ids, *prompt.query[0].ids]
    groups = prompt.ask.groups
    rows = torch.cat([lm.embed(ids).expand(len(groups), -1, -1), groups], dim=1)
    with torch.no_grad():
        states = lm.model.base_model(inputs_embeds=rows, use_cache=False).last_hidden_state
    return states[:, len(ids) :]


def same(given, wanted):
    assert given.shape == wanted.shape
    assert float(((given - wanted).norm() / wanted.norm()).detach()) < ROUNDING


def filled(engine, prompts):
    answers = engine.run(prompts)
    assert all(isinstance(answer, Filled) for answer in answers), answers
    return [answer.states for answer in answers]


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    @cache
    def make(family):
        model = new_adapter(lm(family), LoraSettings(targets=("q_proj", "v_proj")))
        torch.manual_seed(3)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if "lora_B" in name:
                    parameter.normal_(0, 0.2)
        folder = tmp_path_factory.mktemp("adapter")
        save_adapter(model, folder)
        return Adapter("its own", folder)

    return make


@pytest.mark.parametrize("family", MODELS)
def test_groups_are_those_that_follow_the_prompt_alone(family):
    prompt = asked(20, 5, 3)
    (states,) = filled(FrozenEngine(One(lm(family))), [prompt])
    assert states.dtype == torch.float32
    same(states, plain(lm(family), prompt))


@pytest.mark.parametrize("family", MULTIMODAL)
def test_groups_follow_an_image_as_they_follow_text(family):
    model = lmm(family)
    groups = torch.randn(4, 3, model.width, generator=torch.Generator().manual_seed(0))
    asked = multimodal_prompt(["a cat sat ", picture(30, 50), "the mat"], Fill(groups))
    (states,) = filled(FrozenEngine(One(model)), [asked])
    with torch.no_grad():
        read = resolve(asked, model, "llm").inputs(model)
        rows = torch.cat([read.expand(4, -1, -1), groups], dim=1)
        out = model.model.base_model(inputs_embeds=rows, use_cache=False).last_hidden_state
    same(states, out[:, len(read) :])


def test_what_is_packed_and_what_is_branched_is_found_by_trial():
    halos = {family: packing_halo(lm(family)) for family in MODELS}
    assert halos == dict.fromkeys(FAMILIES, 0) | {"lfm2": 2, "deep lfm2": 8, "mamba": None}


def test_a_halo_too_short_is_found_to_change_the_answers(monkeypatch):
    import frostbench.plugins.engine.traits as traits

    monkeypatch.setattr(traits, "halo_of", lambda _: 3)
    assert packing_halo(lm("deep lfm2")) is None


@pytest.mark.parametrize("family", ["llama", "deep lfm2"])
def test_under_an_adapter_groups_are_those_of_the_adapted_model(family, adapter):
    base = lm(family)
    prompt = asked(20, 4, 3, adapter=adapter(family))
    engine = FrozenEngine(One(base))
    states, bare = filled(engine, [prompt, asked(20, 4, 3)])
    same(states, plain(adapted(base, adapter(family)), prompt))
    same(bare, plain(base, prompt))
    assert float((states - bare).norm() / bare.norm()) > 0.01


@pytest.mark.parametrize("family", MODELS)
def test_a_batch_of_many_equals_batches_of_one(family):
    prompts = [asked(20, 3, 2), asked(19, 3, 2, 1), asked(20, 4, 2, 2), asked(18, 3, 2, 3)]
    prompts.append(Prompt((Vectors(drawn(17)),), Fill(drawn(3, 2, seed=4))))
    alone = [filled(FrozenEngine(One(lm(family))), [prompt])[0] for prompt in prompts]
    engine = FrozenEngine(One(lm(family)), EngineSettings(padding=0.5))
    for order in ((0, 1, 2, 3, 4), (4, 2, 0, 3, 1)):
        together = filled(engine, [prompts[i] for i in order])
        for i, states in zip(order, together, strict=True):
            same(states, alone[i])


@settings(max_examples=10)
@given(order=st.permutations(range(4)), family=st.sampled_from(["llama", "deep lfm2", "mamba"]))
def test_the_order_of_groups_does_not_matter(order, family):
    prompt = asked(15, 4, 3)
    turned = Prompt(prompt.query, Fill(prompt.ask.groups[order]))
    states, others = filled(FrozenEngine(One(lm(family))), [prompt, turned])
    same(others, states[order])


@pytest.mark.parametrize("family", ["llama", "deep lfm2", "mamba"])
@pytest.mark.parametrize("budget", [1, 40, 70])
def test_groups_over_the_budget_are_filled_in_parts(family, budget):
    prompts = [asked(20, 7, 3), asked(20, 7, 3, 1)]
    engine = FrozenEngine(One(lm(family)), EngineSettings(token_budget=budget))
    for prompt, states in zip(prompts, filled(engine, prompts), strict=True):
        same(states, plain(lm(family), prompt))


def test_a_prompt_shorter_than_what_convolutions_see_is_branched():
    family = "deep lfm2"
    prompts = [asked(4, 3, 2), asked(20, 3, 2, 1)]
    for prompt, states in zip(prompts, filled(FrozenEngine(One(lm(family))), prompts), strict=True):
        same(states, plain(lm(family), prompt))
    with pytest.raises(ValueError, match="a prompt of 4 tokens is shorter than the 8"):
        packed_states(lm(family).model, drawn(1, 4), drawn(1, 3, 2))


@pytest.mark.parametrize("most", [1, 2, 5])
def test_out_of_memory_halves_the_groups(most):
    model = language_model("llama")
    wanted = plain(model, asked(20, 9, 3))
    sizes = []

    def remember(_, args, given):
        sizes.append(given["inputs_embeds"].shape[1] - 21)
        if sizes[-1] > 3 * most:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    engine = FrozenEngine(One(model))
    filled(engine, [asked(20, 1, 3)])
    hook = model.model.base_model.register_forward_pre_hook(remember, with_kwargs=True)
    (states,) = filled(engine, [asked(20, 9, 3)])
    same(states, wanted)
    assert sizes[0] == 27
    sizes.clear()
    filled(engine, [asked(20, 9, 3)])
    hook.remove()
    assert max(sizes) <= 3 * most  # what fitted is remembered


@pytest.mark.parametrize("family", ["llama", "deep lfm2"])
def test_gradients_are_those_of_the_plain_rows(family):
    model = new_adapter(lm(family), LoraSettings(targets=("q_proj", "v_proj")))
    prompt, groups, weight = drawn(2, 12), drawn(2, 3, 4, seed=1), drawn(2, 3, 4, seed=2)
    prompt.requires_grad_()
    groups.requires_grad_()
    network = decoder_of(model)
    packed = packed_states(model, prompt, groups)
    rows = torch.cat([prompt[:, None].expand(-1, 3, -1, -1), groups], dim=2).flatten(0, 1)
    states = network(inputs_embeds=rows, use_cache=False).last_hidden_state.view(2, 3, 16, WIDTH)
    trained = [prompt, groups, *(p for p in model.parameters() if p.requires_grad)]
    some = torch.autograd.grad((packed.groups * weight).sum(), trained)
    others = torch.autograd.grad((states[:, :, 12:] * weight).sum(), trained)
    same(packed.prompt, states[:, 0, :12])
    trains = [at for at, one in enumerate(others) if float(one.norm()) > 0]
    assert len(trains) > 2
    for at in trains:
        same(some[at], others[at])


@pytest.mark.parametrize("family", ["llama", "deep lfm2"])
def test_rows_that_are_padded_at_the_left_are_packed_as_alone(family):
    model = lm(family).model
    prompt, groups = drawn(2, 15), drawn(2, 3, 2, seed=1)
    mask = torch.ones(2, 15, dtype=torch.long)
    mask[1, :4] = 0
    with torch.no_grad():
        both = packed_states(model, prompt, groups, mask=mask)
        alone = packed_states(model, prompt[1:, 4:], groups[1:])
    same(both.groups[1:], alone.groups)
    same(both.prompt[1:, 4:], alone.prompt)


def test_the_model_is_left_as_it_was():
    model = language_model("llama")
    network = model.model.base_model
    engine = FrozenEngine(One(model))
    (before,) = engine.run([Prompt((Ids(tokens(9)),), Generate(4))])
    filled(engine, [asked(20, 3, 2)])
    hook = network.norm.register_forward_pre_hook(lambda *_: 1 / 0)
    (failed,) = engine.run([asked(20, 3, 2)])
    hook.remove()
    assert isinstance(failed, Failed)
    assert "ZeroDivisionError" in failed.reason
    (after,) = engine.run([Prompt((Ids(tokens(9)),), Generate(4))])
    assert (after.ids, after.logprobs) == (before.ids, before.logprobs)
    assert network.config._attn_implementation == "sdpa"


def test_another_attention_is_not_packed_and_answered_all_the_same():
    model = language_model("llama")
    wanted = plain(model, asked(20, 3, 2))
    model.model.set_attn_implementation("eager")
    assert packing_halo(model) is None
    same(filled(FrozenEngine(One(model)), [asked(20, 3, 2)])[0], wanted)


def test_placeholders_count_as_tokens_that_are_read():
    (answer,) = FrozenEngine(One(lm("deep lfm2"))).run([asked(20, 3, 2)])
    assert (answer.cost.prompt_tokens, answer.cost.generated_tokens) == (1 + 20 + 3 * 2, 0)


def test_states_may_be_used_in_training():
    (states,) = filled(FrozenEngine(One(lm("llama"))), [asked(20, 3, 2)])
    weight = torch.ones(WIDTH, requires_grad=True)
    (states * weight).sum().backward()
    assert weight.grad is not None
    assert halo_of(lm("llama").model) == 0


@pytest.mark.parametrize("family", ["llama", "mamba"])
def test_states_that_are_not_finite_are_refused(family):
    model = language_model(family)
    with torch.no_grad():
        model.model.base_model.layers[-1].register_forward_hook(lambda *_: torch.nan * _[2])
    (failed,) = FrozenEngine(One(model)).run([asked(20, 3, 2)])
    assert isinstance(failed, Failed)
    assert "not finite numbers" in failed.reason
