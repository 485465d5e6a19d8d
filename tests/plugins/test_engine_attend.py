"""Rows of attention, held against the full maps of transformers' plain attention."""

import itertools

import pytest
import torch
from language_models import FAMILIES, One, language_model
from multimodal_models import FAMILIES as MULTIMODAL
from multimodal_models import lmm, picture, prompt, written
from torch.utils._python_dispatch import TorchDispatchMode

from frostbench.plugins.contract.completions import Attended, Failed
from frostbench.plugins.contract.prompts import Attend, Generate, Ids, Prompt
from frostbench.plugins.engine import EngineSettings, FrozenEngine

ROUNDING = 1e-6
ATTENDING = tuple(family for family in FAMILIES if family != "mamba")


def tokens(count, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return tuple(torch.randint(3, 300, (count,), generator=draw).tolist())


def row(count, queries, keys, seed=0):
    return Prompt((Ids(tokens(count, seed)),), Attend(queries, keys))


def full_maps(lm, inputs, ask):
    """What plain attention says of the positions, out of maps of the whole sequence."""
    lm.model.set_attn_implementation("eager")
    with torch.no_grad():
        out = lm.model(**inputs, output_attentions=True, output_hidden_states=True)
    lm.model.set_attn_implementation("sdpa")
    maps = torch.stack([layer[0] for layer in out.attentions if layer is not None])
    hidden = torch.stack([layer[0] for layer in out.hidden_states[1:]])
    queries = list(ask.queries)
    return maps[:, :, queries][..., list(ask.keys)], hidden[:, queries]


def same(answer, rows, hidden):
    assert isinstance(answer, Attended), answer
    assert answer.attention.shape == rows.shape
    assert torch.allclose(answer.attention, rows, rtol=0, atol=ROUNDING)
    # Relative to their size, which is about 10.
    assert float((answer.hidden - hidden).norm() / hidden.norm()) < ROUNDING


@pytest.mark.parametrize("family", [family for family in ATTENDING if family != "lfm2"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_rows_and_states_are_those_of_the_full_maps(family, dtype):
    lm = language_model(family, dtype=dtype)
    asked = row(20, (20, 7, 11, 7), (5, 0, 6))
    (answer,) = FrozenEngine(One(lm)).run([asked])
    ids = torch.tensor([[*lm.opening_ids, *tokens(20)]])
    rows, hidden = full_maps(lm, {"input_ids": ids}, asked.ask)
    assert answer.attention.dtype == answer.hidden.dtype == torch.float32
    same(answer, rows.float(), hidden.float())


def test_of_a_hybrid_the_layers_that_attend_are_returned():
    lm = language_model("lfm2")
    asked = row(20, (20, 7), (5, 0, 6))
    (answer,) = FrozenEngine(One(lm)).run([asked])
    rows, hidden = full_maps(
        lm, {"input_ids": torch.tensor([[*lm.opening_ids, *tokens(20)]])}, asked.ask
    )
    assert len(answer.attention) == len(answer.hidden) == 1  # of a convolution and an attention
    same(answer, rows, hidden[1:])


@pytest.mark.parametrize("family", MULTIMODAL)
def test_rows_over_an_image_are_those_of_the_models_own_forward(family):
    lm = lmm(family)
    image = picture(30, 50)
    plain = prompt(["a cat sat ", image, "the mat and dog"], Generate(0))
    _, shown, words = lm.spans(plain)
    for view in lm.views(image):
        asked = Prompt(plain.query, Attend(tuple(words), view.positions(shown.start)))
        (answer,) = FrozenEngine(One(lm)).run([asked])
        same(answer, *full_maps(lm, written(lm, plain), asked.ask))


@pytest.mark.parametrize("family", ATTENDING)
def test_the_answer_is_the_same_alone_in_any_batch_and_in_any_order(family):
    lm = language_model(family)
    asked = [
        row(20, (20, 7), (5, 0, 6)),
        row(19, (19,), (1, 2, 3, 4), seed=1),
        row(18, (9, 10, 11), (9,), seed=2),
        row(18, (18,), (0, 18), seed=3),
    ]
    alone = [FrozenEngine(One(lm)).run([one])[0] for one in asked]
    engine = FrozenEngine(One(lm), EngineSettings(padding=0.5))
    for order in itertools.islice(itertools.permutations(range(4)), 0, None, 7):
        answers = engine.run([asked[i] for i in order])
        for i, answer in zip(order, answers, strict=True):
            same(answer, alone[i].attention, alone[i].hidden)


def test_prompts_of_unequal_length_are_read_in_one_batch():
    lm = language_model("llama")
    calls = []
    lm.model.base_model.register_forward_hook(lambda *_: calls.append(1))
    engine = FrozenEngine(One(lm), EngineSettings(padding=0.5))
    assert engine.traits("llm").pads
    calls.clear()
    engine.run([row(20, (20,), (1,)), row(15, (15, 3), (2,), seed=1)])
    assert len(calls) == 1


def test_equal_prompts_are_answered_once():
    engine = FrozenEngine(One(lmm("llava")))
    image = picture(30, 50)
    asked = [prompt([image, "a cat"], Attend((37,), (5, 6))) for _ in range(2)]
    one, other = engine.run(asked)
    assert one.attention is other.attention


@pytest.mark.parametrize("family", ["llama", "lfm2"])
def test_reading_rows_changes_nothing_of_what_the_model_says(family):
    lm = language_model(family)
    engine = FrozenEngine(One(lm))
    generate = Prompt((Ids(tokens(12)),), Generate(6))
    before = engine.run([generate])[0]
    network = lm.model.base_model
    ids = torch.tensor([[*lm.opening_ids, *tokens(20)]])
    with torch.no_grad():
        states = network(input_ids=ids).last_hidden_state[0]
    written, rows = engine.run([generate, row(20, tuple(range(21)), (0,))])
    assert (written.ids, written.logprobs) == (before.ids, before.logprobs)
    assert torch.equal(rows.hidden[-1], states)
    after = engine.run([generate])[0]
    assert (after.ids, after.logprobs) == (before.ids, before.logprobs)
    assert network.config._attn_implementation == "sdpa"
    assert not any(layer._forward_hooks for layer in network.layers)


def test_a_forward_that_fails_leaves_the_model_as_it_was():
    lm = language_model("llama")
    network = lm.model.base_model
    engine = FrozenEngine(One(lm))
    engine.traits("llm")
    hook = network.norm.register_forward_pre_hook(lambda *_: 1 / 0)
    (failed,) = engine.run([row(5, (5,), (1,))])
    hook.remove()
    assert isinstance(failed, Failed)
    assert "ZeroDivisionError" in failed.reason
    assert network.config._attn_implementation == "sdpa"
    assert not any(layer._forward_hooks for layer in network.layers)
    assert isinstance(engine.run([row(5, (5,), (1,))])[0], Attended)


class Largest(TorchDispatchMode):
    """The most numbers that any tensor made inside has."""

    def __init__(self):
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, function, types, arguments=(), named=None):
        out = function(*arguments, **(named or {}))
        for made in out if isinstance(out, tuple | list) else [out]:
            if isinstance(made, torch.Tensor):
                self.numbers = max(self.numbers, made.numel())
        return out


def test_no_tensor_grows_with_the_square_of_the_sequence():
    def largest(length):
        lm = lmm("llava")
        engine = FrozenEngine(One(lm))
        engine.traits("llm")
        asked = row(length, (length, length - 1), tuple(range(1, 9)))
        with Largest() as mode:
            (answer,) = engine.run([asked])
        assert isinstance(answer, Attended)
        return mode.numbers

    short, long = largest(200), largest(800)
    assert long < 4.5 * short
    assert long < 800**2


def test_what_is_read_may_be_used_in_training():
    (answer,) = FrozenEngine(One(language_model("llama"))).run([row(9, (9,), (1, 2))])
    weight = torch.ones(4, requires_grad=True)
    loss = (answer.attention.mean((0, 2, 3)) * weight).sum() + answer.hidden.sum()
    loss.backward()
    assert torch.equal(weight.grad, answer.attention.mean((0, 2, 3)))


def test_a_model_without_fused_attention_is_refused_in_a_sentence():
    (failed,) = FrozenEngine(One(language_model("mamba"))).run([row(9, (9,), (1, 2))])
    assert isinstance(failed, Failed)
    assert "beside PyTorch's fused attention ('sdpa')" in failed.reason
    assert "MambaForCausalLM" in failed.reason


def test_attention_that_is_no_number_fails_alone():
    lm = language_model("llama")
    with torch.no_grad():
        lm.model.get_input_embeddings().weight[7] = torch.nan
    engine = FrozenEngine(One(lm))
    bad = Prompt((Ids((7, 8)),), Attend((2,), (1,)))
    good, failed = engine.run([row(2, (2,), (1,)), bad])
    assert isinstance(good, Attended)
    assert isinstance(failed, Failed)
    assert "not finite" in failed.reason


def test_half_precision_rounds_and_no_more():
    exact = language_model("llama")
    asked = row(20, (20, 7, 11), (5, 0, 6))
    (wanted,) = FrozenEngine(One(exact)).run([asked])
    (given,) = FrozenEngine(One(language_model("llama", dtype=torch.bfloat16))).run([asked])
    assert given.attention.dtype == torch.float32
    assert float((given.attention - wanted.attention).abs().max()) < 0.1


def test_its_cost_is_what_was_read():
    (answer,) = FrozenEngine(One(language_model("llama"))).run([row(9, (9,), (1, 2))])
    assert (answer.cost.prompt_tokens, answer.cost.generated_tokens) == (10, 0)
    assert answer.cost.seconds > 0
