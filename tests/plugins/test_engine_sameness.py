import random
from functools import cache

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from language_models import FAMILIES, One, language_model

from frostbench.plugins.contract.completions import Chosen, Generated
from frostbench.plugins.contract.prompts import (
    Choose,
    Generate,
    Ids,
    Prompt,
    Text,
    TokenSets,
    Trie,
    Vectors,
)
from frostbench.plugins.engine import EngineSettings, FrozenEngine

# Half-precision logits of these models differ between batches by this much at most.
HALF_TOLERANCE = 0.35

few = settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])

asks = st.one_of(
    st.builds(Generate, st.integers(1, 6)),
    st.builds(Generate, st.just(4), stop=st.just((" ", "a"))),
    st.lists(st.frozensets(st.integers(2, 299), min_size=1), min_size=1, max_size=4).map(
        lambda sets: Generate(len(sets), TokenSets(tuple(sets)))
    ),
    st.lists(st.sampled_from(["cat", "cats", "dog", "doghouse", "dog house"]), min_size=1).map(
        lambda strings: Generate(12, Trie(tuple(strings)))
    ),
    st.builds(
        Choose,
        st.lists(st.sampled_from(["red", "green", "cat", "cats", "the mat"]), min_size=1).map(
            tuple
        ),
        st.booleans(),
    ),
)
draws = st.builds(
    Generate,
    st.just(12),
    st.sampled_from(
        [
            None,
            Trie(("cat", "cats", "dog", "doghouse", "a house")),
            TokenSets((frozenset(range(2, 299)),) * 5),
        ]
    ),
    samples=st.integers(1, 3),
    temperature=st.sampled_from([0.3, 1.0, 4.0]),
    seed=st.integers(0, 5),
)
pieces = st.one_of(
    st.sampled_from([Text("Input: a cat "), Text("Output of the dog")]),
    st.lists(st.integers(0, 299), min_size=1, max_size=9).map(lambda ids: Ids(tuple(ids))),
)
shown = st.lists(pieces, min_size=1, max_size=3).map(tuple)
prompts = st.builds(Prompt, query=shown, ask=asks, bos=st.booleans())
drawn = st.builds(Prompt, query=shown, ask=draws, bos=st.booleans())


@cache
def engine(family, dtype=torch.float32, **how):
    return FrozenEngine(One(language_model(family, dtype=dtype)), EngineSettings(**how))


def said(completion):
    match completion:
        case Generated(ids, text):
            return ids, text, tuple(map(said, completion.others))
        case Chosen(index):
            return index
    return completion


@pytest.mark.parametrize("family", FAMILIES)
@few
@given(
    asked=st.lists(prompts | drawn, min_size=1, max_size=8), order=st.randoms(use_true_random=False)
)
def test_an_answer_is_the_same_alone_and_in_any_batch_and_order(family, asked, order):
    together = engine(family).run(asked)
    shuffled = list(range(len(asked)))
    order.shuffle(shuffled)
    mixed = engine(family).run([asked[i] for i in shuffled])
    for i, prompt in enumerate(asked):
        (alone,) = engine(family).run([prompt])
        for other in (together[i], mixed[shuffled.index(i)]):
            assert said(other) == said(alone)
            assert other.logprobs == pytest.approx(alone.logprobs, abs=1e-3)


@pytest.mark.parametrize("family", ["llama", "lfm2"])
@few
@given(asked=st.lists(prompts, min_size=2, max_size=8))
def test_in_half_precision_answers_part_only_between_tokens_about_as_likely(family, asked):
    half = engine(family, torch.bfloat16)
    for prompt, beside in zip(asked, half.run(asked), strict=True):
        (alone,) = half.run([prompt])
        if isinstance(alone, Chosen):
            assert beside.logprobs == pytest.approx(alone.logprobs, abs=4 * HALF_TOLERANCE)
            continue
        for a, b, p, q in zip(alone.ids, beside.ids, alone.logprobs, beside.logprobs, strict=False):
            assert p == pytest.approx(q, abs=HALF_TOLERANCE)
            if a != b:
                break


@pytest.mark.parametrize("family", FAMILIES)
def test_ids_and_their_embeddings_get_the_same_answer(family):
    lm = engine(family)._backbones.lm
    draw = random.Random(0)
    for ask in (Generate(5), Choose(("cat", "the mat", "a"))):
        ids = tuple(draw.randrange(300) for _ in range(9))
        as_ids = Prompt((Text("a cat"), Ids(ids)), ask)
        as_vectors = Prompt((Text("a cat"), Vectors(lm.embed(ids))), ask)
        one, other = engine(family).run([as_ids, as_vectors])
        assert said(one) == said(other)
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_generation_is_that_of_transformers(family):
    lm = engine(family)._backbones.lm
    draw = random.Random(1)
    rows = [tuple(draw.randrange(3, 300) for _ in range(draw.randrange(2, 20))) for _ in range(12)]
    answers = engine(family).run([Prompt((Ids(row),), Generate(8), bos=False) for row in rows])
    for row, answer in zip(rows, answers, strict=True):
        ids = torch.tensor([row])
        out = lm.model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False
        )
        new = out[0, len(row) :].tolist()
        assert list(answer.ids) == (new[: new.index(2)] if 2 in new else new)


@pytest.mark.parametrize("family", ["llama", "lfm2", "gpt2"])
def test_a_shared_beginning_that_is_read_once_changes_no_answer(family):
    beginning = Ids(tuple(range(40, 60)))
    asked = [Prompt((beginning, Ids((i, 299 - i))), Generate(4)) for i in range(3, 30)]
    apart, shared = (engine(family, shared_prefix=least).run(asked) for least in (0, 4))
    assert list(map(said, apart)) == list(map(said, shared))


@pytest.mark.parametrize("settings", [{"token_budget": 1}, {"max_batch": 1}, {"padding": 0.0}])
def test_no_answer_depends_on_the_sizes_of_batches(settings):
    draw = random.Random(2)
    asked = [
        Prompt((Ids(tuple(draw.randrange(300) for _ in range(draw.randrange(1, 30)))),), ask)
        for ask in (Generate(4), Choose(("cat", "the mat", "doghouse"))) * 8
    ]
    plain, other = engine("lfm2").run(asked), engine("lfm2", **settings).run(asked)
    assert list(map(said, plain)) == list(map(said, other))
