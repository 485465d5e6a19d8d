from collections import Counter
from dataclasses import replace
from math import exp

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from frostbench.eval_suites.controls.cards import CARDS
from frostbench.eval_suites.controls.ceiling import clean_image
from frostbench.eval_suites.controls.engines import MajorityVote, TokenOverlap
from frostbench.eval_suites.controls.shuffle import exchange, other_images
from frostbench.eval_suites.detection.settings import (
    DetectionSettings,
    LocatingSettings,
    detection_card,
    locating_card,
)
from frostbench.eval_suites.grounding.settings import (
    HallucinationSettings,
    NarrativeSettings,
    ReferringSettings,
    ThoughtSettings,
    hallucination_card,
    narrative_card,
    referring_card,
    thought_card,
)
from frostbench.eval_suites.restoration.settings import (
    DenoisingSettings,
    MaskedRestorationSettings,
    ReconstructionSettings,
    RestorationSettings,
    masked_card,
    reconstruction_card,
    restoration_card,
)
from frostbench.eval_suites.understanding.protocols import FewShotSettings, few_shot_card
from frostbench.eval_suites.understanding.settings import (
    CaptioningSettings,
    InterpretationSettings,
    QuestionSettings,
    captioning_card,
    interpretation_card,
    question_card,
)
from frostbench.plugins.contract.completions import Chosen, Failed, Generated, Scored
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.prompts import (
    Attend,
    Choose,
    Generate,
    Ids,
    ImagePiece,
    Prompt,
    Score,
    Shot,
    Text,
    TokenSets,
    Trie,
    Vectors,
)
from frostbench.plugins.contract.requests import OracleContext, Reconstruct, Restore
from frostbench.plugins.contract.task import Instance
from frostbench.plugins.engine.waves import drive

ENGINES = (MajorityVote(), TokenOverlap())
INPUT, OUTPUT = Text("###\nInput: < "), Text(" >\nOutput: ")


def of_ids(answers, ask, query=(1, 2), shown=None):
    shown = shown or [(7, 8)] * len(answers)
    shots = tuple(
        Shot((INPUT, Ids(tuple(s)), OUTPUT), (Ids(tuple(a)), Text("\n")))
        for s, a in zip(shown, answers, strict=True)
    )
    return Prompt((INPUT, Ids(tuple(query)), OUTPUT), ask, shots)


def of_texts(pairs, ask, query="red round fruit"):
    shots = tuple(Shot((INPUT, Text(shown), OUTPUT), (Text(answer),)) for shown, answer in pairs)
    return Prompt((INPUT, Text(query), OUTPUT), ask, shots, opening=(Text("Say it.\n"),))


def majority(prompt):
    (completion,) = MajorityVote().run([prompt])
    return completion


def overlap(prompt):
    (completion,) = TokenOverlap().run([prompt])
    return completion


def test_majority_vote_takes_the_most_frequent_id_at_each_position():
    answers = [(1, 5), (2, 5), (2, 6), (3, 5)]
    assert majority(of_ids(answers, Generate(2))) == Generated((2, 5), "")


def test_of_equally_frequent_ids_the_first_shots_wins():
    assert majority(of_ids([(4,), (3,), (3,), (4,)], Generate(1))).ids == (4,)


@given(
    answers=st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=1, max_size=9)
)
def test_the_vote_is_right_wherever_most_shots_are(answers):
    truth = [Counter(column).most_common(1)[0] for column in zip(*answers, strict=True)]
    voted = majority(of_ids(answers, Generate(3))).ids
    for (winner, votes), said in zip(truth, voted, strict=True):
        if votes * 2 > len(answers):
            assert said == winner


def test_answers_that_have_ended_vote_for_the_end_and_long_ones_are_cut():
    answers = [(1, 2, 3), (1,), (1,)]
    assert majority(of_ids(answers, Generate(5))).ids == (1,)
    assert majority(of_ids([(1, 2, 3)], Generate(2))).ids == (1, 2)


def test_only_allowed_ids_are_said_and_every_set_is_filled():
    allowed = TokenSets((frozenset({1, 2}), frozenset({9}), frozenset({3, 4, 5})))
    said = majority(of_ids([(7, 9), (7, 8), (2, 8)], Generate(8, allowed))).ids
    assert said[:2] == (2, 9)
    assert len(said) == 3
    assert said[2] in {3, 4, 5}


def test_an_id_that_must_be_drawn_is_drawn_uniformly_from_the_allowed_ones():
    allowed = TokenSets((frozenset({3, 4, 5, 6}),))
    prompts = [of_ids([(1,)], Generate(1, allowed), query=(n,)) for n in range(2000)]
    counts = Counter(c.ids[0] for c in MajorityVote().run(prompts))
    assert all(420 < counts[i] < 580 for i in (3, 4, 5, 6))


def test_of_balanced_labels_the_vote_is_at_chance_whatever_the_order():
    pairs = [("a", "lion"), ("b", "crane"), ("c", "crane"), ("d", "lion")]
    prompts = [
        of_texts(pairs, Generate(4, Trie(("crane", "lion"))), query=f"q{n}") for n in range(2000)
    ]
    counts = Counter(c.text for c in MajorityVote().run(prompts))
    assert all(900 < counts[name] < 1100 for name in ("lion", "crane"))


def test_a_tie_is_broken_alike_wherever_the_prompt_stands():
    prompts = [
        of_texts([("a", "lion"), ("b", "crane")], Generate(4), query=f"q{n}") for n in range(20)
    ]
    for engine in ENGINES:
        alone = [engine.run([prompt])[0] for prompt in prompts]
        assert engine.run(prompts[::-1])[::-1] == alone


def test_the_most_frequent_text_wins_and_stops_where_it_should():
    pairs = [("a", "lion\n###"), ("b", "crane\n"), ("c", "lion\n###")]
    assert majority(of_texts(pairs, Generate(9, stop=("\n",)))) == Generated((), "lion")


def test_several_samples_of_a_vote_are_all_the_same():
    voted = majority(of_texts([("a", "lion")], Generate(9, samples=3, temperature=1.0)))
    assert voted.texts == ("lion",) * 3


@pytest.mark.parametrize("engine", [MajorityVote(), TokenOverlap()])
def test_without_a_model_all_texts_fit_an_image_equally(engine):
    prompt = Prompt((), Score(("a cat", "a dog"), None), backbone="clip")
    assert engine.run([prompt]) == [Scored((0.0, 0.0))]


def test_a_trie_is_kept_to_and_blanks_around_its_strings_do_not_count():
    pairs = [("a", "wug"), ("b", "wug"), ("c", " lion")]
    assert majority(of_texts(pairs, Generate(4, Trie(("lion", "crane"))))).text == "lion"
    strange = [("a", "wug")]
    assert majority(of_texts(strange, Generate(4, Trie(("lion", "crane"))))).text in {
        "lion",
        "crane",
    }


def test_token_sets_do_not_bind_texts():
    ask = Generate(4, TokenSets((frozenset({1}),)))
    assert majority(of_texts([("a", "lion")], ask)).text == "lion"


def test_choosing_gives_an_index_and_log_probabilities_with_the_same_winner():
    pairs = [("a", "lion"), ("b", "crane"), ("c", "lion"), ("d", "wug")]
    chosen = majority(of_texts(pairs, Choose(("crane", "gull", "lion"))))
    assert isinstance(chosen, Chosen)
    assert chosen.index == 2
    assert sum(map(exp, chosen.logprobs)) == pytest.approx(1)
    assert chosen.logprobs[2] > chosen.logprobs[0] > chosen.logprobs[1]


def test_of_tied_options_the_chosen_one_has_the_highest_log_probability():
    for n in range(30):
        prompt = of_texts([("a", "lion"), ("b", "crane")], Choose(("lion", "crane")), f"q{n}")
        chosen = majority(prompt)
        assert max(range(2), key=chosen.logprobs.__getitem__) == chosen.index


def test_token_overlap_answers_what_the_nearest_example_answers():
    shown = [(1, 2, 3, 4), (1, 1, 1, 9), (5, 6, 7, 8)]
    prompt = of_ids([(10,), (20,), (30,)], Generate(1), query=(1, 1, 1, 2), shown=shown)
    assert overlap(prompt).ids == (20,)
    prompt = of_ids([(10,), (20,), (30,)], Generate(1), query=(8, 2, 3, 7), shown=shown)
    assert overlap(prompt).ids in {(10,), (30,)}


def test_token_overlap_counts_an_id_as_often_as_both_show_it():
    shown = [(1, 2, 2, 2), (1, 1, 3, 3)]
    prompt = of_ids([(10,), (20,)], Generate(1), query=(1, 1, 1, 4), shown=shown)
    assert overlap(prompt).ids == (20,)


def test_token_overlap_of_texts_goes_by_trigrams_and_not_by_what_all_share():
    pairs = [("yellowbananafruit", "banana"), ("roundappletree", "apple"), ("cargrey", "car")]
    for query, label in (("appleroundred", "apple"), ("greycars", "car"), ("banana", "banana")):
        assert overlap(of_texts(pairs, Generate(4, Trie(("banana", "apple", "car"))), query)) == (
            Generated((), label)
        )
        index = overlap(of_texts(pairs, Choose(("car", "banana", "apple")), query)).index
        assert ("car", "banana", "apple")[index] == label


def test_where_texts_are_marked_as_visual_token_overlap_goes_by_those_alone():
    def asked(words, question):
        return (INPUT, Text(words, visual=True), Text(f" > {question}\nOutput: "))

    shots = tuple(
        Shot(asked(words, question), (Text(answer),))
        for words, question, answer in (
            ("roundappletree", "what is here?", "apple"),
            ("cargrey", "what is on the left?", "car"),
        )
    )
    query = asked("appleroundred", "what is on the left?")
    assert overlap(Prompt(query, Generate(4), shots)).text == "apple"


def test_token_overlap_without_any_overlap_is_at_chance():
    pairs = [("aaaa", "lion"), ("bbbb", "crane")]
    prompts = [of_texts(pairs, Generate(4), query=f"{n:05d}") for n in range(2000)]
    counts = Counter(c.text for c in TokenOverlap().run(prompts))
    assert all(900 < counts[name] < 1100 for name in ("lion", "crane"))


@pytest.mark.parametrize("engine", ENGINES)
def test_what_cannot_be_answered_fails_with_a_sentence(engine):
    shot = Shot((Text("a"),), (Text("lion"),))
    drawn = Shot((Text("a"),), (ImagePiece(Image(torch.zeros(3, 2, 2))),))
    table = {
        "has no in-context examples": Prompt((Text("a"),), Generate(3)),
        "asks to Attend needs a frozen model": Prompt((Text("a"),), Attend((0,), (0,)), (shot,)),
        "answer with Image": Prompt((Text("a"),), Generate(3), (drawn,)),
        "the prompt asks for one of given texts": of_ids([(1,)], Generate(3, Trie(("lion",)))),
        "the options are texts": of_ids([(1,)], Choose(("lion",))),
    }
    answers = engine.run([*table.values(), of_ids([(1,)], Generate(1))])
    for message, answer in zip(table, answers[:-1], strict=True):
        assert isinstance(answer, Failed)
        assert message in answer.reason
    assert isinstance(answers[-1], Generated)


def test_token_overlap_of_vectors_fails_and_majority_vote_does_not_care():
    shot = Shot((Vectors(torch.ones(2, 3)),), (Text("lion"),))
    prompt = Prompt((Vectors(torch.zeros(2, 3)),), Generate(3), (shot,))
    assert "neither ids nor texts" in overlap(prompt).reason
    assert majority(prompt).text == "lion"


def test_controls_stand_in_for_the_engine_of_a_run():
    def method():
        (completion,) = yield [of_ids([(1, 2), (1, 3)], Generate(2))]
        return completion.ids

    (outcome,) = drive([method()], MajorityVote())
    assert outcome.value == (1, 2)
    assert outcome.cost.seconds == outcome.cost.generated_tokens == 0


def pictures(count, side=4):
    return [Image(torch.full((3, side, side), n / 100)) for n in range(count)]


@given(count=st.integers(2, 40), seed=st.integers(0, 10**6))
def test_an_exchange_leaves_no_image_its_own_tokens_and_uses_each_once(count, seed):
    images = pictures(count)
    donors = exchange(images, seed)
    assert set(donors) == set(donors.values()) == set(images)
    assert all(image != donor for image, donor in donors.items())
    assert exchange(images[::-1], seed) == donors


def test_images_are_exchanged_with_those_of_their_size():
    images = [*pictures(5), *pictures(3, side=6)]
    assert all(image.size == donor.size for image, donor in exchange(images, 0).items())


@given(sizes=st.lists(st.integers(3, 9), min_size=2, max_size=12), seed=st.integers(0, 99))
def test_images_that_are_alone_in_their_size_are_exchanged_too(sizes, seed):
    images = [pictures(count + 1, side)[-1] for count, side in enumerate(sizes)]
    donors = exchange(images, seed)
    assert set(donors) == set(donors.values()) == set(images)
    assert all(image != donor for image, donor in donors.items())
    assert exchange(images[::-1], seed) == donors


def test_another_image_has_the_size_of_the_one_in_whose_place_it_is_asked_about():
    images = [Image(torch.rand(3, *size)) for size in ((8, 8), (8, 8), (6, 10), (12, 5))]
    donors, others = exchange(images, 3), other_images(images, 3)
    for image, other in others.items():
        assert other.size == image.size
        assert other != image
        assert (other == donors[image]) is (donors[image].size == image.size)
        assert 0 <= float(other.pixels.min()) <= float(other.pixels.max()) <= 1
    assert any(donors[image].size != image.size for image in images)


def test_an_only_image_has_none_to_exchange_tokens_with():
    with pytest.raises(ValueError, match="there is only one image"):
        exchange(pictures(1), 0)


def test_every_other_image_gives_its_tokens_as_often():
    images = pictures(4)
    counts = Counter(images.index(exchange(images, seed)[images[0]]) for seed in range(3000))
    assert all(900 < counts[n] < 1100 for n in (1, 2, 3))


def test_the_ceiling_reconstructs_the_clean_image_under_the_same_id():
    corrupted, clean = pictures(2)
    request = Restore("inpainting-00000", corrupted, "inpainting", OracleContext(clean), seed=5)
    instance = Instance(request, clean, "oracle_context", "photo")
    asked = clean_image(instance)
    assert asked == Reconstruct("inpainting-00000", clean, 5)
    with pytest.raises(ValueError, match="only restorations have a ceiling"):
        clean_image(replace(instance, request=asked))


def test_every_control_of_a_task_has_a_meaning():
    cards = [
        few_shot_card(FewShotSettings()),
        captioning_card(CaptioningSettings()),
        question_card(QuestionSettings()),
        interpretation_card(InterpretationSettings()),
        reconstruction_card(ReconstructionSettings()),
        restoration_card("shift", RestorationSettings()),
        restoration_card("denoising", DenoisingSettings()),
        masked_card(MaskedRestorationSettings()),
        referring_card(ReferringSettings()),
        narrative_card(NarrativeSettings()),
        hallucination_card(HallucinationSettings()),
        thought_card(ThoughtSettings()),
        detection_card(DetectionSettings()),
        locating_card(LocatingSettings()),
    ]
    assert {control for card in cards for control in card.controls} == {card.name for card in CARDS}
