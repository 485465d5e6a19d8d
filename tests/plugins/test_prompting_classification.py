import pytest
import torch

from frostbench.plugins.contract.completions import Chosen, Generated
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.prompts import Choose, Generate, Prompt, Text, TokenSets, Trie
from frostbench.plugins.contract.requests import Classify, LabelledImage
from frostbench.plugins.kit import toys
from frostbench.plugins.parts.prompting.classification import (
    ClassificationSettings,
    classification,
    union,
)

LION, FISH, QUERY = (Image(torch.full((3, 2, 2), value)) for value in (0.1, 0.2, 0.3))
WORDS = {LION: "maneyellow", FISH: "finsea", QUERY: "finblue"}
EXAMPLES = (LabelledImage(LION, "lion"), LabelledImage(FISH, "lionfish"))


@pytest.fixture(scope="module")
def language():
    return toys.backbones().get("llm")


def request(repeats=0, induction=True):
    return Classify("q", QUERY, EXAMPLES, ("lionfish", "lion"), repeats, induction)


def asked(request, language, settings=None, completion=None):
    waves = classification(
        request,
        lambda image: (Text(WORDS[image]),),
        settings or ClassificationSettings(),
        language,
    )
    (prompt,) = next(waves)
    if completion is None:
        return prompt
    with pytest.raises(StopIteration) as stop:
        waves.send([completion])
    return stop.value.value


def read(prompt: Prompt) -> str:
    return "".join(piece.text for piece in prompt.pieces)


def test_the_prompt_is_the_published_one_with_its_repeated_bracket(language):
    assert read(asked(request(), language)) == (
        "For each of the following input output pairs, output is one of ['lion' or ['lionfish']\n"
        "###\nInput: < maneyellow >\nOutput: lion"
        "###\nInput: < finsea >\nOutput: lionfish"
        "###\nInput: < finblue >\nOutput: "
    )


def test_the_repeated_bracket_can_be_mended(language):
    prompt = asked(request(), language, ClassificationSettings(quirky_brackets=False))
    assert "one of ['lion' or 'lionfish']\n" in read(prompt)


def test_without_induction_nothing_stands_before_the_examples(language):
    prompt = asked(request(induction=False), language)
    assert read(prompt).startswith("###\nInput: < maneyellow >")
    assert prompt.bos


def test_repeats_show_the_whole_list_again_in_the_same_order(language):
    once, thrice = asked(request(), language), asked(request(repeats=2), language)
    assert thrice.shots == once.shots * 3
    assert thrice.query == once.query


def test_each_segment_is_tokenised_alone(language):
    prompt = asked(request(), language)
    assert [len(shot.shown) for shot in prompt.shots] == [3, 3]
    assert len(prompt.query) == 3


def test_the_answer_is_held_to_whole_options_with_room_for_the_longest(language):
    ask = asked(request(), language).ask
    assert isinstance(ask, Generate)
    assert ask.allowed == Trie(("lionfish", "lion"))
    assert ask.max_new_tokens > len(language.encode("lionfish"))


def test_without_induction_one_line_is_generated_freely(language):
    ask = asked(request(induction=False), language).ask
    assert ask == Generate(16, stop=("\n", "###"))


def test_the_published_union_lets_parts_of_two_names_mix(language):
    ask = asked(request(), language, ClassificationSettings("union")).ask
    assert isinstance(ask, Generate)
    short, long = language.encode("lion"), language.encode("lionfish")
    assert ask.allowed == TokenSets(union(("lion", "lionfish"), language))
    assert ask.allowed.sets[0] == {short[0], long[0]}
    assert ask.allowed.sets[len(short)] == {language.eos_id, long[len(short)]}
    assert ask.allowed.sets[-1] == {language.eos_id}
    assert ask.max_new_tokens == len(ask.allowed.sets) == len(long) + 1


def test_the_union_ends_with_the_published_16_tokens(language):
    ask = asked(request(), language, ClassificationSettings("union", max_new_tokens=2)).ask
    assert isinstance(ask.allowed, TokenSets)
    assert len(ask.allowed.sets) == ask.max_new_tokens == 2


def test_choosing_gives_the_option_itself(language):
    settings = ClassificationSettings("choose")
    assert asked(request(), language, settings).ask == Choose(("lionfish", "lion"))
    assert asked(request(), language, settings, Chosen(0, (-1.0, -2.0))) == "lionfish"


def test_the_outcome_is_the_text_without_blanks_around_it(language):
    assert asked(request(), language, completion=Generated((5,), " lion ")) == "lion"
    assert asked(request(), language, completion=Generated((5,), "lio")) == "lio"
