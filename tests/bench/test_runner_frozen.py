"""What a method does to a frozen model: it is named, and the method beside it is not touched."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from frozen_world import (
    Harmful,
    Honest,
    backbones,
    frozen_plan,
    halve,
    harmful,
    honest,
    rows_of,
)
from torch import nn
from transformers.models.llama.modeling_llama import LlamaAttention

from frostbench.bench.runner.frozen import Guarded, Watch
from frostbench.bench.runner.plan import PlannedMethod
from frostbench.bench.runner.run import run
from frostbench.bench.runner.verify import verify
from frostbench.plugins import Failed, Generate, Prompt, Text
from frostbench.plugins.backbones.adapters import LoraSettings, new_adapter, save_adapter
from frostbench.plugins.contract.prompts import Adapter, Regress
from frostbench.plugins.engine.frozen import FrozenEngine


def attention(lm):
    return lm.model.model.layers[0].self_attn


def negated(lm):
    return lm.model.register_forward_hook(
        lambda _, __, out: type(out)(**{**out, "logits": -out.logits})
    ).remove


def other_forward(lm):
    head = lm.model.lm_head
    head.forward = lambda hidden: nn.functional.linear(hidden, -head.weight)
    return lambda: vars(head).pop("forward")


def no_scaling(lm):
    attention(lm).scaling, before = 0.0, attention(lm).scaling
    return lambda: setattr(attention(lm), "scaling", before)


def halved(lm):
    return halve(attention(lm).q_proj.weight)


def halved_unseen_by_torch(lm):
    weight = attention(lm).q_proj.weight
    weight.data.mul_(0.5)
    return lambda: weight.data.mul_(2)


def more_words(lm):
    lm.tokenizer.add_tokens([" a cat", "red", "green"])


def other_parameter(lm):
    lm.model.model.norm.weight = nn.Parameter(-torch.ones(32))


def other_class(lm):
    before = LlamaAttention.forward

    def forward(self, *args, **kwargs):
        out, weights = before(self, *args, **kwargs)
        return -out, weights

    LlamaAttention.forward = forward


DEEDS = {
    "a forward hook was added to the backbone": negated,
    "'forward' was added to 'lm_head'": other_forward,
    "'scaling' of 'model.layers.0.self_attn' was": no_scaling,
    "the tensor 'model.layers.0.self_attn.q_proj.weight' was written to": halved,
    "words were added to the tokenizer": more_words,
    "the parameter 'model.norm.weight' was replaced": other_parameter,
    "'forward' of class LlamaAttention was replaced": other_class,
}


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> object:
    """The run of the honest method by itself."""
    shared = backbones()
    return run(frozen_plan(tmp_path_factory.mktemp("alone"), shared, honest()))


def trial(folder: Path, *deed, kind: type[Harmful] = Harmful, **changes):
    shared = backbones()
    guilty = harmful(shared, *deed, kind=kind)
    return run(frozen_plan(folder, shared, guilty, honest(), **changes))


def check(done, alone, clause):
    (sentence,) = done.manifest.violations
    assert sentence.startswith("method 'harmful' changed what is frozen in task 'naming': ")
    assert clause in sentence
    assert done.manifest.status == "failed"
    assert done.failed
    mine = rows_of(done, "harmful")
    assert [(row["status"], row["error"]) for row in mine] == [("failed", sentence)] * 2
    assert rows_of(done, "honest") == rows_of(alone, "honest")
    assert rows_of(done, None) == rows_of(alone, None)
    assert done.manifest.methods["harmful"].violation == sentence
    assert done.manifest.methods["honest"].status == "ok"
    assert kept_tokens(done) == kept_tokens(alone)


def kept_tokens(done) -> set[str]:
    return {path.name for path in (done.folder.parent / "tokens").rglob("*.safetensors")}


@pytest.mark.parametrize("at", ["wave 0", "decode"])
def test_the_guilty_is_named_whenever_it_was(tmp_path, alone, at):
    check(trial(tmp_path, negated, at), alone, "a forward hook was added to the backbone")


def test_a_change_in_tokenizing_is_seen_before_anything_is_asked(tmp_path, alone):
    done = trial(tmp_path, negated, "tokenize")
    (sentence,) = done.manifest.violations
    assert sentence.startswith("method 'harmful' changed what is frozen before its first sample")
    assert rows_of(done, "harmful") == []
    assert rows_of(done, "honest") == rows_of(alone, "honest")
    assert kept_tokens(done) == kept_tokens(alone)
    assert done.failed


@pytest.mark.parametrize("clause", list(DEEDS)[1:])
def test_the_guilty_is_named_whatever_it_did(tmp_path, alone, clause):
    check(trial(tmp_path, DEEDS[clause], "wave 1"), alone, clause)


@pytest.mark.parametrize(
    ("deed", "at", "until"),
    [
        (halved, "wave 0", "wave 1"),
        (halved_unseen_by_torch, "wave 0", "wave 1"),
        (halved_unseen_by_torch, "decode", "decoded"),
        (other_forward, "wave 0", "wave 2"),
        (no_scaling, "wave 1", "decode"),
    ],
)
def test_what_is_taken_back_in_time_is_seen_where_it_could_touch_others(
    tmp_path, alone, deed, at, until
):
    done = trial(tmp_path, deed, at, until)
    assert rows_of(done, "honest") == rows_of(alone, "honest")
    if (at, until) == ("decode", "decoded"):  # only the method's own rows saw it
        assert not done.failed
    else:
        check(done, alone, "'")


def test_a_method_that_was_caught_stays_out_until_the_run_begins_anew(tmp_path, alone):
    shared = backbones()
    deed = harmful(shared, negated, "decode")
    first = run(frozen_plan(tmp_path, shared, deed, honest()))
    shared = backbones()
    harmless = PlannedMethod(Harmful.card, lambda: Harmful(shared, negated, ""))
    plan = frozen_plan(tmp_path, shared, harmless, honest())
    for more in ({}, {"retry_failed": True}):
        again = run(replace(plan, **more))
        assert again.manifest.violations == first.manifest.violations
        assert again.manifest.status == "failed"
        assert rows_of(again, "harmful") == rows_of(first, "harmful")
    anew = run(replace(plan, again=True))
    assert not anew.failed
    assert {row["status"] for row in rows_of(anew, "harmful")} == {"scored"}


def test_later_chunks_are_run_without_the_guilty(tmp_path):
    shared = backbones()
    whole = run(frozen_plan(tmp_path / "alone", shared, honest(), limit=5))
    done = trial(tmp_path / "both", negated, "decode", limit=5)
    assert {row["sample"] for row in rows_of(done, "harmful")} == {"0", "1"}
    assert rows_of(done, "honest") == rows_of(whole, "honest")
    assert done.manifest.tasks["naming"].complete is False


class Once(Harmful):
    """Does its deed once in this process, so that it is not there when the chunk is done again."""

    card = replace(Harmful.card, name="once")
    done: bool = False

    def now(self, moment):
        if moment == self.at and not type(self).done:
            type(self).done = True
            self.deed(self.lm)


class Other(Honest):
    card = replace(Honest.card, name="other")


@pytest.mark.parametrize("at", ["decode", "wave 1"])
def test_where_nobody_does_it_alone_all_whose_code_ran_are_named(tmp_path, at):
    shared = backbones()
    kind = type("Once", (Once,), {"done": False})
    plan = frozen_plan(
        tmp_path, shared, harmful(shared, negated, at, kind=kind), PlannedMethod(Other.card, Other)
    )
    done = run(plan)
    (sentence,) = done.manifest.violations
    assert "'once'" in sentence
    assert "'other'" in sentence
    assert "a forward hook was added" in sentence
    failed = {record.method for record in done.records() if record.status == "failed"}
    assert failed == {"once", "other"}


def slightly(lm):
    """A write that neither torch's count nor the drawn bytes show."""
    lm.model.get_input_embeddings().weight.data[17, 3] += 1e-3


def test_a_write_that_only_the_last_checksum_shows_voids_all_rows(tmp_path):
    shared = backbones()
    weight = shared.get("llm").model.get_input_embeddings().weight
    assert weight.numel() > 64
    done = trial(tmp_path, slightly, "decode")
    (sentence,) = done.manifest.violations
    assert "its tensor 'model.embed_tokens.weight'" in sentence
    assert "harmful, honest ran" in sentence
    assert {(row.status, row.error) for row in done.records()} == {("failed", sentence)}
    assert done.manifest.status == "failed"
    entry = done.manifest.backbones["llm"]
    assert entry.sha256_before != entry.sha256_after
    assert not list((tmp_path / "tokens").rglob("*.safetensors"))


def test_a_method_that_changes_something_while_it_is_built_takes_no_part(tmp_path, alone):
    shared = backbones()

    def build() -> Harmful:
        negated(shared.get("llm"))
        return Harmful(shared, negated, "")

    done = run(frozen_plan(tmp_path, shared, PlannedMethod(Harmful.card, build), honest()))
    (sentence,) = done.manifest.violations
    assert sentence.startswith("method 'harmful' changed what is frozen before its first sample")
    assert rows_of(done, "harmful") == []
    assert rows_of(done, "honest") == rows_of(alone, "honest")
    assert done.failed


def test_an_observer_that_changes_something_is_no_methods_fault(tmp_path, alone):
    shared = backbones()

    class Meddling:
        def started(self, manifest):
            pass

        def scored(self, record):
            if record.sample == "1":
                negated(shared.get("llm"))

        def finished(self, manifest):
            pass

    done = run(frozen_plan(tmp_path, shared, honest(), limit=3, observers=(Meddling(),)))
    assert "while no method was asked for anything" in done.manifest.violations[0]
    whole = run(frozen_plan(tmp_path / "alone", backbones(), honest(), limit=3))
    assert rows_of(done, "honest") == rows_of(whole, "honest")


def test_nothing_is_said_where_nobody_did_anything(tmp_path):
    done = trial(tmp_path, negated, "")
    assert done.manifest.violations == ()
    assert not done.failed
    assert torch.get_default_dtype() == torch.float32


def test_verify_leaves_the_guilty_out_and_finds_the_others_as_they_were(tmp_path):
    shared = backbones()
    run(frozen_plan(tmp_path, shared, harmful(shared, negated, "decode"), honest()))
    shared = backbones()
    plan = frozen_plan(tmp_path, shared, harmful(shared, negated, "decode"), honest())
    found = verify(plan, sample=2)
    assert found.holds, [check for check in found.checks if not check.holds]
    assert found.samples == 2  # of the honest method


def test_verify_tells_a_method_that_changes_something_there(tmp_path):
    shared = backbones()
    harmless = PlannedMethod(Harmful.card, lambda: Harmful(shared, negated, ""))
    run(frozen_plan(tmp_path, shared, harmless, honest()))
    shared = backbones()
    found = verify(frozen_plan(tmp_path, shared, harmful(shared, negated, "decode"), honest()))
    (frozen,) = [check for check in found.checks if check.name == "frozen"]
    assert not frozen.holds
    assert "method 'harmful' changed what is frozen" in frozen.detail


def watched(*loaded):
    shared = backbones()
    engine = FrozenEngine(shared)
    watch = Watch(shared, engine)
    watch.load(["llm"])
    return shared, engine, watch


def test_what_an_engine_holds_under_an_adapter_is_certified(tmp_path):
    shared, engine, watch = watched()
    save_adapter(new_adapter(shared.get("llm"), LoraSettings()), tmp_path)
    adapter = Adapter("mine", tmp_path)
    guarded = Guarded(engine, watch)
    prompt = Prompt((Text("a cat"),), Generate(2), adapter=adapter)
    guarded.run([prompt])
    assert watch.changes() == []
    ((_, lm),) = engine.held().items()
    weight = next(one for name, one in lm.model.named_parameters() if "lora_B" in name)
    weight.data += 1
    (change,) = watch.changes()
    assert change.startswith("the backbone 'llm' under adapter 'mine': the tensor 'model.layers.0.")
    (completion,) = guarded.run([prompt])
    assert isinstance(completion, Failed)
    assert guarded.found == [change]


@pytest.mark.parametrize("at", [0, 2])
def test_a_feed_that_writes_between_two_steps_is_caught_at_once(at):
    shared, engine, watch = watched()
    weight = attention(shared.get("llm")).q_proj.weight
    calls = []

    def feed(features):
        calls.append(len(features))
        if len(calls) - 1 == at:
            halve(weight)
        elif len(calls) - 2 == at:
            raise AssertionError("the engine went on")
        return features

    guarded = Guarded(engine, watch)
    prompts = [Prompt((Text(text),), Regress(6, feed)) for text in ("a cat", "a dog")]
    guarded.run(prompts)
    assert guarded.found == [
        "the backbone 'llm': the tensor 'model.layers.0.self_attn.q_proj.weight' was written to"
    ]


def test_prompts_of_one_feed_are_still_fed_together():
    _, engine, watch = watched()
    rows = []

    def feed(features):
        rows.append(len(features))
        return features

    Guarded(engine, watch).run(
        [Prompt((Text(text),), Regress(3, feed)) for text in ("a cat", "a dog")]
    )
    assert rows == [2, 2]


def test_a_backbone_that_is_put_in_anothers_place_is_seen():
    shared, _, watch = watched()
    shared._loaded["llm"] = backbones().get("llm")
    assert watch.changes() == ["the backbone 'llm': another was put in its place"]
