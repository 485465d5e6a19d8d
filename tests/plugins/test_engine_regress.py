import random
from functools import cache

import pytest
import torch
from language_models import FAMILIES, One, language_model
from transformers import LlamaForCausalLM

from frostbench.plugins.backbones.adapters import LoraSettings, adapted, new_adapter, save_adapter
from frostbench.plugins.contract.completions import Failed, Generated, Regressed
from frostbench.plugins.contract.prompts import (
    Adapter,
    Generate,
    Ids,
    Prompt,
    Regress,
    Text,
    Vectors,
)
from frostbench.plugins.engine import EngineSettings, FrozenEngine

# Of features with a spread of about 1. Each feature is fed, and its rounding with it.
TOLERANCE = 3e-5
STEPS = 12
POISON = 7


class Mixing(torch.nn.Module):
    """A feed as LM4LV's is: to features of the vision model, and back.

    Its bias outweighs its input; random models under a feed that is all input are chaotic, and
    double their rounding at each step.
    """

    def __init__(self, seed, width=32):
        super().__init__()
        draw = torch.Generator().manual_seed(seed)
        self.there = torch.nn.Parameter(torch.randn(width, 8, generator=draw) / 6)
        self.back = torch.nn.Parameter(torch.randn(8, width, generator=draw) / 10)
        self.bias = torch.nn.Parameter(torch.randn(width, generator=draw))
        self.seen = []

    def forward(self, states):
        self.seen.append(tuple(states.shape))
        assert states.dtype == torch.float32
        return states @ self.there @ self.back + self.bias


class Forgetful(LlamaForCausalLM):
    """Keeps no cache."""

    def forward(self, input_ids=None, **given):
        given.pop("past_key_values", None)
        return super().forward(input_ids=input_ids, **{**given, "use_cache": False})


@cache
def lm(family):
    return language_model(family)


@cache
def engine(family, **how):
    return FrozenEngine(One(lm(family)), EngineSettings(**how))


@cache
def feed(seed=0):
    return Mixing(seed)


def row(length, seed=0):
    draw = random.Random(seed)
    return Ids(tuple(draw.randrange(3, 300) for _ in range(length)))


def vectors(length, seed=0):
    return Vectors(torch.randn(length, 32, generator=torch.Generator().manual_seed(seed)) / 3)


def prompts(count=6, feeds=(0,), steps=(STEPS,)):
    """Prompts of several lengths, every third of embeddings."""
    return [
        Prompt(
            (row(5 + i % 4, i), vectors(4, i)) if i % 3 == 0 else (Text("a cat"), row(6 + i, i)),
            Regress(steps[i % len(steps)], feed(feeds[i % len(feeds)])),
        )
        for i in range(count)
    ]


@torch.no_grad()
def naive(language, prompt):
    """The published loop: everything is read again at each step."""
    parts = [language.embed(language.opening_ids)]
    for piece in prompt.pieces:
        match piece:
            case Text(text):
                parts.append(language.embed(language.encode(text)))
            case Ids(ids):
                parts.append(language.embed(ids))
            case Vectors(given):
                parts.append(given)
    inputs, features = torch.cat(parts)[None], []
    for _ in range(prompt.ask.steps):
        out = language.model.base_model(inputs_embeds=inputs, use_cache=False)
        features.append(out.last_hidden_state[:, -1])
        inputs = torch.cat([inputs, prompt.ask.feed(features[-1])[:, None]], dim=1)
    return torch.cat(features)


def close(one, other, tolerance=TOLERANCE):
    return torch.allclose(one, other, rtol=0, atol=tolerance)


@pytest.mark.parametrize("family", FAMILIES)
def test_features_are_those_of_the_loop_that_reads_everything_again_at_each_step(family):
    asked = prompts()
    for prompt, answer in zip(asked, engine(family).run(asked), strict=True):
        assert isinstance(answer, Regressed)
        assert answer.features.shape == (STEPS, 32)
        assert answer.features.dtype == torch.float32
        assert close(answer.features, naive(lm(family), prompt))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_feature_is_what_the_model_s_head_reads(family):
    (answer,) = engine(family).run([Prompt((row(9),), Regress(1, feed()), bos=False)])
    with torch.no_grad():
        logits = lm(family).model(input_ids=torch.tensor([row(9).ids])).logits[0, -1]
        assert close(lm(family).model.get_output_embeddings()(answer.features[0]), logits)


@pytest.mark.parametrize("family", FAMILIES)
def test_features_are_the_same_alone_and_in_any_batch_and_order(family):
    asked = prompts(10, feeds=(0, 1), steps=(STEPS, 3))
    together = engine(family).run(asked)
    order = random.Random(1).sample(range(len(asked)), len(asked))
    mixed = engine(family).run([asked[i] for i in order])
    for i, prompt in enumerate(asked):
        (alone,) = engine(family).run([prompt])
        assert close(together[i].features, alone.features)
        assert close(mixed[order.index(i)].features, alone.features)


@pytest.mark.parametrize(
    "settings", [{"token_budget": 1}, {"max_batch": 3}, {"padding": 0.9}, {"shared_prefix": 1}]
)
def test_no_feature_depends_on_the_sizes_of_batches(settings):
    asked = prompts(8, feeds=(0, 1))
    answers = engine("llama", **settings).run(asked)
    for one, other in zip(engine("llama").run(asked), answers, strict=True):
        assert close(one.features, other.features)


def test_a_model_without_a_cache_gives_the_same_features():
    odd = FrozenEngine(One(language_model("llama", like=Forgetful)))
    asked = prompts()
    assert odd.traits("llm").caches is False
    for one, other in zip(odd.run(asked), engine("llama").run(asked), strict=True):
        assert close(one.features, other.features)


def test_prompts_of_one_feed_are_fed_together_and_never_by_another_s():
    one, other = Mixing(1), Mixing(2)
    asked = [
        Prompt((vectors(5, i),), Regress(4, (one, other, one)[i]), bos=False) for i in range(3)
    ]
    answers = engine("llama").run(asked)
    assert one.seen == [(2, 32)] * 3
    assert other.seen == [(1, 32)] * 3
    for prompt, answer in zip(asked, answers, strict=True):
        assert isinstance(prompt.ask.feed, Mixing)
        want = naive_without_bos(prompt)
        assert close(answer.features, want)


@torch.no_grad()
def naive_without_bos(prompt):
    inputs, features = prompt.query[0].vectors[None], []
    for _ in range(prompt.ask.steps):
        out = lm("llama").model.base_model(inputs_embeds=inputs, use_cache=False)
        features.append(out.last_hidden_state[:, -1])
        inputs = torch.cat([inputs, prompt.ask.feed(features[-1])[:, None]], dim=1)
    return torch.cat(features)


def test_a_bound_method_is_one_feed_at_each_look():
    mixing = Mixing(3)
    engine("llama").run([Prompt((vectors(5, i),), Regress(2, mixing.forward)) for i in range(4)])
    assert mixing.seen == [(4, 32)]


def test_a_feed_that_cannot_be_compared_or_hashed_is_a_feed():
    class Odd:
        __hash__ = None

        def __eq__(self, other):
            raise RuntimeError("no comparison")

        def __call__(self, states):
            return states

    odd = Odd()
    one, other = engine("llama").run([Prompt((row(5),), Regress(3, odd))] * 2)
    assert torch.equal(one.features, other.features)


def test_equal_prompts_are_answered_once_and_those_of_other_feeds_by_themselves():
    mine, yours = Mixing(1), Mixing(2)
    asked = [Prompt((row(5),), Regress(3, each)) for each in (mine, mine, yours)]
    one, same, other = engine("llama").run(asked)
    assert mine.seen == yours.seen == [(1, 32)] * 2
    assert torch.equal(one.features, same.features)
    assert close(one.features[0], other.features[0])
    assert not close(one.features[1], other.features[1], 1e-2)


def test_a_feed_that_writes_on_what_it_is_given_changes_no_feature():
    def writes(states):
        return states.mul_(0.5)

    asked = [Prompt((row(6),), Regress(3, each)) for each in (writes, lambda states: states * 0.5)]
    one, other = engine("llama").run(asked)
    assert close(one.features, other.features)


def test_features_may_be_used_in_training():
    (answer,) = engine("llama").run([Prompt((row(6),), Regress(3, feed()))])
    head = torch.nn.Linear(32, 2)
    head(answer.features).sum().backward()
    assert head.weight.grad is not None


def test_in_half_precision_features_are_float32_and_near():
    half = FrozenEngine(One(language_model("llama", dtype=torch.bfloat16)))
    asked = prompts(4, steps=(3,))
    for one, other in zip(half.run(asked), engine("llama").run(asked), strict=True):
        assert one.features.dtype == torch.float32
        assert (one.features - other.features).norm() < 0.1 * other.features.norm()


def test_generation_beside_it_is_not_disturbed():
    generate = Prompt((row(6),), Generate(3))
    regress = Prompt((row(6),), Regress(3, feed()))
    written, features = engine("llama").run([generate, regress])
    assert isinstance(written, Generated)
    assert written.ids == engine("llama").run([generate])[0].ids
    assert close(features.features, engine("llama").run([regress])[0].features)


def test_under_an_adapter_features_are_those_of_the_adapted_model(tmp_path):
    made = new_adapter(lm("llama"), LoraSettings())
    torch.manual_seed(3)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.2)
    save_adapter(made, tmp_path)
    adapter = Adapter("mine", tmp_path)
    plain = prompts(2)
    under = [Prompt(prompt.query, prompt.ask, adapter=adapter) for prompt in plain]
    answers = FrozenEngine(One(lm("llama"))).run([*plain, *under])
    languages = [lm("llama")] * 2 + [adapted(lm("llama"), adapter)] * 2
    for language, prompt, answer in zip(languages, [*plain, *under], answers, strict=True):
        # This adapter amplifies what it is fed, and its rounding: 4e-5 on a processor with AVX2.
        assert close(answer.features, naive(language, prompt), 2e-4)
    assert not close(answers[0].features, answers[2].features, 1e-2)


def test_a_cost_counts_the_prompt_and_one_token_a_step():
    prompt = Prompt((row(6),), Regress(5, feed()))
    (answer,) = engine("llama").run([prompt])
    assert (answer.cost.prompt_tokens, answer.cost.generated_tokens) == (7, 5)
    assert answer.cost.seconds > 0
    length = engine("llama").measure(prompt)
    assert (length.tokens, length.new, length.limit, length.fits) == (7, 5, 96, True)


def raises(states):
    raise KeyError("no such layer")


def breaks_on_large_batches_of_its_own(states):
    if len(states) > 1:
        raise RuntimeError("one at a time")
    return states * 0.5


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        (Regress(3, raises), "the feed of the prompt failed, step 1: KeyError: 'no such layer'"),
        (
            Regress(3, lambda x: x[:, :31]),
            "the feed of the prompt gave (1, 31) for features of shape (1, 32); (1, 32) is wanted",
        ),
        (Regress(3, lambda x: x[0]), "gave (32,) for features of shape (1, 32)"),
        (Regress(3, lambda x: None), "gave NoneType for features of shape (1, 32)"),
        (Regress(3, lambda x: x / 0), "gave numbers that are not finite, step 1"),
        (Regress(0, lambda x: x), "steps is at least 1, not 0"),
        (Regress(90, lambda x: x), "asks for up to 90 more, 97 in all"),
    ],
)
def test_what_cannot_be_answered_fails_alone_in_one_sentence(ask, reason):
    good = [Prompt((row(6, i),), Regress(3, feed())) for i in range(2)]
    one, failed, other = engine("llama").run([good[0], Prompt((row(6, 9),), ask), good[1]])
    assert isinstance(failed, Failed)
    assert reason in failed.reason
    assert failed.reason.endswith(".")
    assert "\n" not in failed.reason
    for prompt, answer in zip(good, (one, other), strict=True):
        assert close(answer.features, naive(lm("llama"), prompt))


def test_where_a_feed_fails_on_some_of_its_rows_only_those_prompts_have_failed():
    def picky(states):
        if bool((states[:, 0] > 0).any()):
            raise ValueError("not this one")
        return states * 0.5

    asked = [Prompt((row(6, i),), Regress(1, picky)) for i in range(12)]
    first = torch.stack([answer.features[0, 0] for answer in engine("llama").run(asked)])
    asked = [Prompt(prompt.query, Regress(2, picky)) for prompt in asked]
    answers = engine("llama").run(asked)
    assert 0 < int((first > 0).sum()) < len(asked)
    assert [isinstance(answer, Failed) for answer in answers] == (first > 0).tolist()


def test_a_feed_that_takes_one_row_at_a_time_is_given_one():
    asked = [Prompt((row(6, i),), Regress(3, breaks_on_large_batches_of_its_own)) for i in range(3)]
    for prompt, answer in zip(asked, engine("llama").run(asked), strict=True):
        assert close(answer.features, naive(lm("llama"), prompt))


def hooked(hook):
    """An engine over a model whose network calls `hook(inputs, out)` after each forward."""
    language = language_model("llama")
    built = FrozenEngine(One(language))
    built.traits("llm")

    def after(network, args, given, out):
        inputs = given.get("input_ids")
        return hook(given["inputs_embeds"] if inputs is None else inputs, out)

    language.model.base_model.register_forward_hook(after, with_kwargs=True)
    return built


def test_a_prompt_whose_features_are_not_finite_has_failed_alone():
    def poison(inputs, out):
        if inputs.dim() == 2:
            out.last_hidden_state[(inputs == POISON).any(1)] = float("nan")

    good = [Prompt((row(6, i),), Regress(3, feed())) for i in range(2)]
    bad = Prompt((Ids((POISON, 8, 9, 10, 11, 12)),), Regress(3, feed()))
    one, failed, other = hooked(poison).run([good[0], bad, good[1]])
    assert failed.reason == "backbone 'llm' gave features that are not finite numbers, step 1."
    for prompt, answer in zip(good, (one, other), strict=True):
        assert close(answer.features, naive(lm("llama"), prompt))


def test_a_batch_that_does_not_fit_is_halved_until_it_does():
    refused = []

    def cramped(inputs, out):
        if len(inputs) > 3:
            refused.append(len(inputs))
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    asked = [Prompt((row(6, i),), Regress(3, feed())) for i in range(8)]
    built = hooked(cramped)
    for one, other in zip(built.run(asked), engine("llama").run(asked), strict=True):
        assert close(one.features, other.features)
    assert refused[:2] == [8, 4]
    refused.clear()
    built.run(asked)
    assert not refused


def test_a_feed_without_memory_gets_smaller_batches():
    def cramped(states):
        if len(states) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return states * 0.5

    asked = [Prompt((row(6, i),), Regress(3, cramped)) for i in range(5)]
    for prompt, answer in zip(asked, FrozenEngine(One(lm("llama"))).run(asked), strict=True):
        assert close(answer.features, naive(lm("llama"), prompt))
