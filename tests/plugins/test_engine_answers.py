from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from language_models import One, language_model

from frostbench.plugins.contract.prompts import Choose, Generate, Ids, Prompt, Text, TokenSets, Trie
from frostbench.plugins.engine import FrozenEngine
from frostbench.plugins.engine.batches import plan
from frostbench.plugins.engine.resolve import resolve

few = settings(max_examples=15)
rows = st.lists(st.integers(3, 299), min_size=1, max_size=12)
strings = st.lists(
    st.sampled_from(["cat", "cats", "dog", "doghouse", "dog house", "the mat", "a", "ab"]),
    min_size=1,
    max_size=6,
    unique=True,
)


@cache
def lm():
    return language_model("llama")


@cache
def engine():
    return FrozenEngine(One(lm()))


def answer(prompt):
    (completion,) = engine().run([prompt])
    return completion


@torch.no_grad()
def logprobs(ids):
    return lm().model(input_ids=torch.tensor([ids])).logits[0].float().log_softmax(-1)


@few
@given(row=rows, allowed=st.lists(st.frozensets(st.integers(3, 299), min_size=1), min_size=1))
def test_every_position_takes_the_most_likely_of_its_own_token_set(row, allowed):
    given = answer(
        Prompt((Ids(tuple(row)),), Generate(9, TokenSets(tuple(allowed[:9]))), bos=False)
    )
    ids = list(row)
    for token, logprob, choices in zip(given.ids, given.logprobs, allowed[:9], strict=True):
        behind = logprobs(ids)[-1]
        best = max(sorted(choices), key=lambda i: float(behind[i]))
        assert float(behind[token]) == pytest.approx(float(behind[best]), abs=1e-4)
        assert token in choices
        assert logprob == pytest.approx(float(behind[token]), abs=1e-3)
        ids.append(token)


@few
@given(row=rows, allowed=strings)
def test_a_trie_gives_one_of_its_strings_whole(row, allowed):
    given = answer(Prompt((Ids(tuple(row)),), Generate(12, Trie(tuple(allowed)))))
    assert given.text in allowed
    assert list(given.ids) == lm().encode(given.text)


@few
@given(row=rows, allowed=strings)
def test_a_complete_string_goes_on_only_where_the_model_wants_a_longer_one(row, allowed):
    given = answer(Prompt((Ids(tuple(row)),), Generate(12, Trie(tuple(allowed))), bos=False))
    options = {string: lm().encode(string) for string in allowed}
    ids = []
    while True:
        left = [o for o in options.values() if o[: len(ids)] == ids and len(o) > len(ids)]
        behind = logprobs([*row, *ids])[-1]
        following = {o[len(ids)] for o in left}
        if not left or (ids in options.values() and int(behind.argmax()) not in following):
            break
        ids.append(max(sorted(following), key=lambda i: float(behind[i])))
    assert list(given.ids) == ids


@few
@given(row=rows, options=strings, mean=st.booleans())
def test_an_option_scores_the_sum_of_its_tokens_behind_the_prompt(row, options, mean):
    given = answer(Prompt((Ids(tuple(row)),), Choose(tuple(options), mean), bos=False))
    for option, score in zip(options, given.logprobs, strict=True):
        ids = lm().encode(option)
        all_of_them = logprobs([*row, *ids])
        total = sum(float(all_of_them[len(row) + i - 1, token]) for i, token in enumerate(ids))
        assert score == pytest.approx(total / (len(ids) if mean else 1), abs=1e-3)
    assert given.logprobs[given.index] == max(given.logprobs)


def test_of_equal_options_the_first_wins():
    assert answer(Prompt((Text("a cat"),), Choose(("dog", "dog", "dog")))).index == 0


def test_text_is_tokenised_segment_by_segment():
    one = resolve(Prompt((Text("a ca"), Text("t")), Generate(1), bos=False), lm(), "llm")
    assert list(one.ids) == [*lm().encode("a ca"), *lm().encode("t")]
    assert list(one.ids) != lm().encode("a cat")


def test_generation_ends_at_the_end_of_sequence_token_and_leaves_it_out():
    eos = TokenSets((frozenset({5}), frozenset({2}), frozenset({6})))
    given = answer(Prompt((Text("a"),), Generate(3, eos)))
    assert given.ids == (5,)
    assert len(given.logprobs) == 1


def test_generation_ends_where_nothing_is_allowed():
    nothing = TokenSets((frozenset({5}), frozenset(), frozenset({6})))
    assert answer(Prompt((Text("a"),), Generate(3, nothing))).ids == (5,)


def test_a_stop_string_ends_the_text_before_it():
    whole = answer(Prompt((Text("a cat"),), Generate(8)))
    stop = whole.text[3]
    cut = answer(Prompt((Text("a cat"),), Generate(8, stop=("never said", stop))))
    assert cut.text == whole.text[: whole.text.index(stop)]
    assert whole.ids[: len(cut.ids)] == cut.ids
    assert len(lm().decode(cut.ids)) <= len(cut.text)


def test_the_beginning_of_sequence_token_comes_first_where_it_is_wanted():
    with_bos, without = (
        resolve(Prompt((Ids((7,)),), Generate(1), bos=bos), lm(), "llm").ids
        for bos in (True, False)
    )
    assert with_bos == (1, 7)
    assert without == (7,)


@given(
    lengths=st.lists(st.integers(1, 40), max_size=40),
    budget=st.integers(1, 200),
    padding=st.sampled_from([0.0, 0.2, 0.5]),
)
def test_a_plan_holds_every_prompt_once_within_the_budget(lengths, budget, padding):
    items = [
        resolve(Prompt((Ids((9,) * n),), Generate(1), bos=False), lm(), "llm") for n in lengths
    ]
    batches = plan(items, lambda length: max(1, budget // length), padding)
    assert sorted(i for batch in batches for i in batch) == list(range(len(items)))
    for batch in batches:
        longest = max(lengths[i] for i in batch)
        assert len(batch) == 1 or longest * len(batch) <= budget
        assert min(lengths[i] for i in batch) >= (1 - padding) * longest
