import pytest
import torch
from language_models import One, language_model

from frostbench.plugins.contract.engine import Measures
from frostbench.plugins.contract.prompts import (
    Attend,
    Choose,
    Fill,
    Generate,
    Ids,
    Prompt,
    Regress,
    Shot,
    Text,
    Trie,
)
from frostbench.plugins.engine import FrozenEngine

SHOTS = (Shot((Text("a cat "),), (Text("sat"),)),)


@pytest.fixture(scope="module")
def engine():
    return FrozenEngine(One(language_model("llama")))


@pytest.mark.parametrize(
    "ask",
    [
        Generate(5),
        Generate(9, Trie(("cat", "doghouse"))),
        Choose(("a dog", "red house")),
        Regress(4, lambda x: x),
        Fill(torch.zeros(5, 3, 32)),
    ],
)
def test_a_length_is_what_an_answer_reads_and_at_most_writes(engine, ask):
    prompt = Prompt((Text("the dog "),), ask, SHOTS)
    length, answer = engine.measure(prompt), engine.run([prompt])[0]
    assert isinstance(engine, Measures)
    assert length.fits
    assert length.limit == 96
    assert answer.cost.prompt_tokens >= length.tokens > 6
    assert answer.cost.generated_tokens <= length.new * max(1, len(getattr(ask, "options", ())))


@pytest.mark.parametrize(("count", "fits"), [(90, True), (91, True), (92, False), (400, False)])
def test_what_is_too_long_is_measured_all_the_same(engine, count, fits):
    length = engine.measure(Prompt((Ids((5,) * (count - 1)),), Generate(5)))
    assert (length.tokens, length.new, length.fits) == (count, 5, fits)
    failed = engine.run([Prompt((Ids((5,) * (count - 1)),), Generate(5))])[0]
    assert hasattr(failed, "reason") is not fits


def test_what_cannot_be_answered_for_another_reason_says_so(engine):
    with pytest.raises(ValueError, match="no option"):
        engine.measure(Prompt((Text("a"),), Choose(())))
    with pytest.raises(ValueError, match="position 9 among its keys"):
        engine.measure(Prompt((Text("a"),), Attend((1,), (9,))))
    with pytest.raises(LookupError, match="no backbone named"):
        engine.measure(Prompt((Text("a"),), Generate(1), backbone="lmm"))
