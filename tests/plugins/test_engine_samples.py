import math
from collections import Counter
from functools import cache

import pytest
import torch
from language_models import One, language_model

from frostbench.plugins.contract.completions import Failed
from frostbench.plugins.contract.prompts import Generate, Ids, Prompt, TokenSets, Trie
from frostbench.plugins.engine import EngineSettings, FrozenEngine

ROW = Ids((40, 50, 60))
ALLOWED = (5, 17, 33, 80)


@cache
def engine(family="llama", **how):
    return FrozenEngine(One(language_model(family)), EngineSettings(**how))


def answer(ask, made=None, row=ROW):
    (completion,) = (made or engine()).run([Prompt((row,), ask, bos=False)])
    return completion


def said(completion):
    return [one.ids for one in (completion, *completion.others)]


@torch.no_grad()
def probabilities(temperature, row=ROW.ids):
    lm = engine()._backbones.lm
    logits = lm.model(input_ids=torch.tensor([row])).logits[0, -1].float()
    return (logits / temperature).softmax(-1)


def chi_square(found, wanted, count):
    return sum((found[key] - count * p) ** 2 / (count * p) for key, p in wanted.items())


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_a_token_is_drawn_as_often_as_the_model_says_at_that_temperature(temperature):
    count = 3000
    ask = Generate(1, TokenSets((frozenset(ALLOWED),)), samples=count, temperature=temperature)
    found = Counter(ids[0] for ids in said(answer(ask)))
    wanted = probabilities(temperature)[list(ALLOWED)]
    shares = dict(zip(ALLOWED, (wanted / wanted.sum()).tolist(), strict=True))
    assert set(found) <= set(ALLOWED)
    assert chi_square(found, shares, count) < 16.3  # 0.999 of chi-square with 3 degrees of freedom


def test_without_a_token_set_all_of_the_vocabulary_is_drawn_from():
    count = 3000
    found = Counter(ids for ids in said(answer(Generate(1, samples=count, temperature=1.0))))
    wanted = probabilities(1.0)
    top = wanted.topk(5).indices.tolist()
    for token in top:
        share = found[(token,)] / count
        p = float(wanted[token])
        assert abs(share - p) < 4 * math.sqrt(p * (1 - p) / count)


def test_strings_of_a_trie_are_drawn_by_the_probability_of_their_tokens():
    strings = ("cat", "dog")
    lm = engine()._backbones.lm
    first = {string: lm.encode(string)[0] for string in strings}
    assert len(set(first.values())) == 2
    answered = answer(Generate(9, Trie(strings), samples=2000, temperature=2.0))
    found = Counter(answered.texts)
    wanted = probabilities(2.0)[list(first.values())]
    shares = dict(zip(strings, (wanted / wanted.sum()).tolist(), strict=True))
    assert chi_square(found, shares, 2000) < 10.8  # 0.999, one degree of freedom


def test_what_is_drawn_depends_on_the_seed_and_each_sample_is_another():
    ask = Generate(8, samples=4, temperature=1.5, seed=3)
    one, same = answer(ask), answer(ask)
    other = answer(Generate(8, samples=4, temperature=1.5, seed=4))
    assert said(one) == said(same) != said(other)
    assert len(set(said(one))) == 4
    assert len(one.texts) == 4


def test_the_first_samples_are_those_of_fewer():
    few = answer(Generate(6, samples=2, temperature=1.0, seed=1))
    assert said(answer(Generate(6, samples=5, temperature=1.0, seed=1)))[:2] == said(few)
    assert said(answer(Generate(6, temperature=1.0, seed=1))) == said(few)[:1]


@pytest.mark.parametrize("family", ["llama", "lfm2", "mamba"])
@pytest.mark.parametrize("how", [{"max_batch": 1}, {"max_batch": 3}, {"shared_prefix": 2}])
def test_no_sample_depends_on_the_sizes_of_batches(family, how):
    asked = [
        Prompt((Ids((20, 21, 22, i)),), Generate(6, samples=n, temperature=0.8, seed=i))
        for i, n in enumerate((1, 5, 2, 1))
    ]
    plain, other = engine(family).run(asked), engine(family, **how).run(asked[::-1])[::-1]
    assert [said(one) for one in plain] == [said(one) for one in other]


def test_one_prefix_is_read_once_and_its_samples_are_counted(monkeypatch):
    made = FrozenEngine(One(language_model("llama")))
    made.traits("llm")
    network = made._engine("llm", None)._logits._call._network
    rows = []
    forward = network.forward

    def counted(*given, **named):
        rows.append(tuple(named["input_ids"].shape))
        return forward(*given, **named)

    monkeypatch.setattr(network, "forward", counted)
    ask = Generate(5, TokenSets((frozenset(ALLOWED),) * 5), samples=6, temperature=1.0)
    answered = answer(ask, made)
    assert rows == [(1, 3), *[(6, 1)] * 4]
    assert (answered.cost.prompt_tokens, answered.cost.generated_tokens) == (3, 30)
    assert answered.cost.seconds > 0
    assert all(other.cost.generated_tokens == 0 for other in answered.others)


def test_log_probabilities_are_those_of_the_model_itself():
    for one in (ask := answer(Generate(1, samples=3, temperature=4.0)), *ask.others):
        wanted = float(probabilities(1.0)[one.ids[0]].log())
        assert one.logprobs[0] == pytest.approx(wanted, abs=1e-3)


def test_a_very_low_temperature_is_greedy():
    assert answer(Generate(8, temperature=1e-30, seed=9)).ids == answer(Generate(8)).ids


@pytest.mark.parametrize(
    ("ask", "why"),
    [
        (Generate(2, samples=0), "samples is at least 1, not 0"),
        (Generate(2, samples=3), "at temperature 0, where all are the same"),
        (Generate(2, temperature=-1.0), "temperature is a finite number from 0 on, not -1.0"),
        (Generate(2, temperature=float("nan")), "temperature is a finite number"),
        (Generate(2, temperature=float("inf")), "temperature is a finite number"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_a_sentence(ask, why):
    failed = answer(ask)
    assert isinstance(failed, Failed)
    assert why in failed.reason


def test_samples_that_do_not_fit_into_memory_are_written_a_few_at_a_time():
    class Cramped(type(language_model("llama").model)):
        def forward(self, input_ids=None, **given):
            if len(input_ids) > 3:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
            return super().forward(input_ids=input_ids, **given)

    made = FrozenEngine(One(language_model("llama", like=Cramped)))
    ask = Generate(5, samples=8, temperature=1.0, seed=2)
    assert said(answer(ask, made)) == said(answer(ask))
