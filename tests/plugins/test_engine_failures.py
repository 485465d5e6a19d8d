from pathlib import Path

import pytest
import torch
from language_models import One, language_model, tokenizer
from transformers import LlamaForCausalLM

from frostbench.plugins.backbones import SharedBackbones
from frostbench.plugins.contract.completions import Failed, Generated
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.prompts import (
    Adapter,
    Attend,
    Choose,
    Fill,
    Generate,
    Ids,
    ImagePiece,
    Prompt,
    Text,
    TokenSets,
    Trie,
    Vectors,
)
from frostbench.plugins.engine import EngineSettings, FrozenEngine

POISON = 7
PROMPTS = [Prompt((Ids((i, i + 1, i + 2)),), Generate(3)) for i in range(20, 40)]


def rows_of(given):
    inputs = given.get("input_ids")
    return inputs if inputs is not None else given["inputs_embeds"]


class Cramped(LlamaForCausalLM):
    """Has memory for three rows."""

    room = 3
    refusals = 0

    def forward(self, input_ids=None, past_key_values=None, **given):
        if len(input_ids) > self.room:
            type(self).refusals += 1
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return super().forward(input_ids=input_ids, past_key_values=past_key_values, **given)


class Poisoned(LlamaForCausalLM):
    """Gives NaN for every row that begins with a certain token."""

    def forward(self, input_ids=None, **given):
        out = super().forward(input_ids=input_ids, **given)
        out.logits[(input_ids[:, :1] == POISON)[:, 0]] = float("nan")
        return out


class Brittle(LlamaForCausalLM):
    """Breaks on a certain token."""

    def forward(self, input_ids=None, **given):
        if bool((input_ids == POISON).any()):
            raise RuntimeError("the kernel fell over\nwith details")
        return super().forward(input_ids=input_ids, **given)


class Blind(LlamaForCausalLM):
    """Takes no notice of the attention mask, as recurrent layers may."""

    def forward(self, input_ids=None, past_key_values=None, use_cache=None, inputs_embeds=None):
        return super().forward(
            input_ids=input_ids,
            past_key_values=past_key_values,
            use_cache=use_cache,
            inputs_embeds=inputs_embeds,
        )


class Forgetful(LlamaForCausalLM):
    """Keeps no cache."""

    def forward(self, input_ids=None, **given):
        given.pop("past_key_values", None)
        return super().forward(input_ids=input_ids, **{**given, "use_cache": False})


def engine_like(cls, **settings):
    lm = language_model("llama", like=cls)
    return FrozenEngine(One(lm), EngineSettings(**settings))


def ids_of(completions):
    return [completion.ids for completion in completions]


def test_a_batch_that_does_not_fit_is_halved_until_it_does_and_the_size_is_remembered():
    cramped = engine_like(Cramped)
    Cramped.refusals = 0
    wanted = ids_of(engine_like(LlamaForCausalLM).run(PROMPTS))
    assert ids_of(cramped.run(PROMPTS)) == wanted
    tries, Cramped.refusals = Cramped.refusals, 0
    assert tries > 0
    assert ids_of(cramped.run(PROMPTS)) == wanted
    assert Cramped.refusals == 0


def test_options_that_do_not_fit_beside_one_another_are_scored_in_turns():
    prompt = Prompt((Text("a"),), Choose(("the mat", "dog house", "red cats", "green mat", "cats")))
    cramped, roomy = (engine_like(cls).run([prompt])[0] for cls in (Cramped, LlamaForCausalLM))
    assert cramped.index == roomy.index
    assert cramped.logprobs == pytest.approx(roomy.logprobs, abs=1e-3)


def test_a_single_prompt_that_does_not_fit_has_failed_and_the_others_have_not(monkeypatch):
    cramped = engine_like(Cramped)
    cramped.traits("llm")
    monkeypatch.setattr(Cramped, "room", 0)
    (failed,) = cramped.run(PROMPTS[:1])
    assert isinstance(failed, Failed)
    assert "a prompt of 4 tokens does not fit in the memory of cpu" in failed.reason
    monkeypatch.setattr(Cramped, "room", 3)
    assert isinstance(cramped.run(PROMPTS[:1])[0], Generated)


@pytest.mark.parametrize(
    ("cls", "reason"),
    [
        (Poisoned, "gave logits that are not finite numbers"),
        (Brittle, "RuntimeError: the kernel fell over"),
    ],
)
def test_a_prompt_on_which_the_model_breaks_has_failed_alone(cls, reason):
    poison = Prompt((Ids((POISON, 8, 9, 10)),), Generate(3), bos=False)
    choice = Prompt((Ids((POISON, 8, 9, 10)),), Choose(("cat", "dog house")), bos=False)
    completions = engine_like(cls).run([*PROMPTS, poison, choice])
    assert ids_of(completions[:-2]) == ids_of(engine_like(LlamaForCausalLM).run(PROMPTS))
    for failed in completions[-2:]:
        assert isinstance(failed, Failed)
        assert reason in failed.reason
        assert "\n" not in failed.reason


@pytest.mark.parametrize(("cls", "trait"), [(Blind, "pads"), (Forgetful, "caches")])
def test_what_a_class_does_not_do_right_is_found_out_and_not_used(cls, trait):
    odd = engine_like(cls, padding=0.9)
    asked = [Prompt((Ids(tuple(range(9, 12 + i))),), Generate(3)) for i in range(9)]
    assert getattr(odd.traits("llm"), trait) is False
    assert getattr(engine_like(LlamaForCausalLM).traits("llm"), trait) is True
    assert ids_of(odd.run(asked)) == ids_of(engine_like(LlamaForCausalLM).run(asked))


def test_convolutions_with_a_bias_are_found_to_see_pads():
    assert FrozenEngine(One(language_model("lfm2"))).traits("llm").pads is False


def test_in_half_precision_only_pure_attention_is_trusted_with_pads():
    lfm2, llama = (
        FrozenEngine(One(language_model(family, dtype=torch.bfloat16))).traits("llm")
        for family in ("lfm2", "llama")
    )
    assert lfm2.caches
    assert lfm2.continues
    assert not lfm2.pads
    assert llama.pads


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        (Prompt((Ids((3,) * 95),), Generate(8)), "96 tokens and asks for up to 8 more, 104 in all"),
        (Prompt((Ids((3,) * 95),), Choose(("dog house",))), "reads at most 96"),
        (Prompt((), Generate(2), bos=False), "an empty prompt cannot be answered"),
        (
            Prompt((Text("a"),), Generate(2), adapter=Adapter("mine", Path("nowhere"))),
            "no folder nowhere for adapter 'mine'",
        ),
        (Prompt((Text("a"),), Generate(2), backbone="lmm"), "no backbone named 'lmm'; there are"),
        (Prompt((Text("a"),), Attend((), (0,))), "Attend names no queries"),
        (Prompt((Text("a"),), Attend((1,), ())), "Attend names no keys"),
        (Prompt((Text("a"),), Attend((2,), (0,))), "position 2 among its queries; the prompt's 2"),
        (Prompt((Text("a"),), Attend((1,), (-1,))), "position -1 among its keys"),
        (Prompt((Text("a"),), Attend((1, 0), (0, 1))), "what position 0 sees of position 1"),
        (Prompt((Text("a"),), Fill(torch.zeros(2, 3, 31))), "of shape (2, 3, 31); one or more"),
        (Prompt((Text("a"),), Fill(torch.zeros(0, 3, 32))), "of shape (0, 3, 32); one or more"),
        (Prompt((Text("a"),), Fill(torch.zeros(2, 0, 32))), "embeddings of width 32 are wanted"),
        (
            Prompt((Text("a"),), Fill(torch.full((1, 1, 32), torch.nan))),
            "placeholders that are not",
        ),
        (Prompt((Text("a"),), Fill(torch.zeros(1, 95, 32))), "2 tokens and asks for up to 95 more"),
        (Prompt((ImagePiece(Image(torch.zeros(3, 2, 2))),), Generate(2)), "takes no images"),
        (Prompt((Ids((3, 300)),), Generate(2)), "the id 300; the model's ids run from 0 to 299"),
        (Prompt((Ids((-1,)),), Generate(2)), "the id -1"),
        (Prompt((Vectors(torch.zeros(2, 31)),), Generate(2)), "of shape (2, 31) do not fit"),
        (Prompt((Vectors(torch.full((2, 32), torch.nan)),), Generate(2)), "not finite"),
        (Prompt((Text("a"),), Generate(2, TokenSets((frozenset({999}),)))), "allows the id 999"),
        (Prompt((Text("a"),), Generate(1, Trie(("dog house",)))), "max_new_tokens is 1, and the"),
        (Prompt((Text("a"),), Generate(2, Trie(()))), "no allowed string to choose from"),
        (Prompt((Text("a"),), Choose(("", "a"))), "the option '' has no tokens"),
        (Prompt((Text("a"),), Generate(-1)), "max_new_tokens is at least 0, not -1"),
    ],
)
def test_what_cannot_be_answered_says_why_and_disturbs_nothing(prompt, reason):
    engine = FrozenEngine(One(language_model("llama")))
    good, failed, also_good = engine.run([PROMPTS[0], prompt, PROMPTS[1]])
    assert isinstance(failed, Failed)
    assert reason in failed.reason
    assert isinstance(good, Generated)
    assert isinstance(also_good, Generated)


def test_a_backbone_that_is_no_language_model_answers_no_prompt():
    (failed,) = FrozenEngine(One(torch.nn.Linear(2, 2))).run(PROMPTS[:1])
    assert "is a Linear, which answers no prompts" in failed.reason


def test_a_backbone_that_cannot_be_loaded_fails_its_prompts(tmp_path):
    from frostbench.plugins.backbones import BackboneEntry

    entry = BackboneEntry("llm", "causal_lm", str(tmp_path / "nowhere"))
    (failed,) = FrozenEngine(SharedBackbones([entry])).run(PROMPTS[:1])
    assert "no language model at" in failed.reason


def test_equal_prompts_are_answered_once_and_share_the_time():
    class Counting(LlamaForCausalLM):
        rows = 0

        def forward(self, input_ids=None, **given):
            type(self).rows += len(input_ids)
            return super().forward(input_ids=input_ids, **given)

    counting = engine_like(Counting)
    counting.traits("llm")
    Counting.rows = 0
    one, other = counting.run([PROMPTS[0], PROMPTS[0]])
    assert Counting.rows == len(one.ids)
    assert one.ids == other.ids
    assert one.cost == other.cost


def test_a_cost_counts_tokens_seconds_and_memory():
    prompt = Prompt((Ids((5, 6, 7)),), Generate(2, TokenSets((frozenset({5}), frozenset({6})))))
    (written,) = FrozenEngine(One(language_model("llama"))).run([prompt])
    assert (written.cost.prompt_tokens, written.cost.generated_tokens) == (4, 2)
    assert written.cost.seconds > 0
    assert written.cost.peak_bytes > 0
    assert written.cost.joules is None


def test_no_run_changes_a_weight():
    lm = language_model("lfm2")
    from frostbench.plugins.backbones.checksum import checksum

    before = checksum(lm.model)
    FrozenEngine(One(lm)).run(PROMPTS)
    assert checksum(lm.model) == before
    assert not any(parameter.requires_grad for parameter in lm.model.parameters())
    assert lm.tokenizer is tokenizer()
