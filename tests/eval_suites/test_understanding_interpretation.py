from collections import Counter
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbench.eval_suites.metrics.clip_score import (
    ClipScore,
    ClipScoreRelative,
    ClipScoreSettings,
    letter_words,
)
from frostbench.eval_suites.understanding.semantic_interpretation import SemanticInterpretation
from frostbench.eval_suites.understanding.settings import InterpretationSettings
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.metric import MetricContext
from frostbench.plugins.contract.predictions import ImagePrediction, TextPrediction
from frostbench.plugins.contract.requests import Interpret
from frostbench.plugins.kit import toys

CONTEXT = MetricContext(toys.backbones(), networks=("clip",))
BOTH = replace(CONTEXT, networks=("clip", "llm"))
SCORE, RELATIVE = ClipScore(CONTEXT), ClipScoreRelative(BOTH)
IMAGES = [Image(torch.rand(3, 20, 24, generator=torch.Generator().manual_seed(n))) for n in (1, 2)]
NAMES = ("lion", "rocket", "cactus", "tea", "violin", "red", "green")
WORDS = st.lists(st.sampled_from(NAMES), min_size=1)


class Portraits:
    names = ("lion", "crane", "tea pot")

    def family(self, name):
        return self.names.index(name)

    def count(self, name):
        return None

    def portrait(self, name, number):
        shade = self.names.index(name) / 4 + number / 100
        return Image(torch.full((3, 4, 4), shade), f"{name} {number}")


def instances(limit, seed=0):
    task = SemanticInterpretation(InterpretationSettings())
    return task, list(task.instances(Portraits(), limit, seed))


def test_each_class_has_its_turn_and_no_portrait_comes_twice():
    _, every = instances(9)
    assert Counter(one.cluster for one in every) == dict.fromkeys(Portraits.names, 3)
    assert {one.cluster for one in every[:3]} == set(Portraits.names)
    assert len({one.request.image for one in every}) == 9
    assert all(one.request.image.name.startswith(one.cluster) for one in every)


def test_instances_depend_on_the_seed_and_not_on_the_limit():
    assert instances(8)[1][:5] == instances(5)[1]
    assert len({tuple(one.cluster for one in instances(3, seed)[1]) for seed in range(9)}) > 1


def test_the_request_names_no_class_and_the_target_is_its_image():
    _, every = instances(3)
    for one in every:
        assert one.request == Interpret(one.request.id, one.target, one.request.seed)
        assert one.cluster not in one.request.id


def test_the_class_name_is_a_control_that_needs_no_method():
    task, every = instances(4)
    said = task.controls(every)["class_name"]
    assert [prediction.text for prediction in said] == [one.cluster for one in every]
    assert "class_name" in task.card.controls


@settings(max_examples=20)
@given(words=WORDS)
def test_the_score_is_the_mean_cosine_of_the_first_words(words):
    clip = toys.backbones().get("clip")
    text = clip.encode_text([f"a photo of a {word}." for word in words[:5]], normalise=True)
    image = clip.encode_image(IMAGES[0].pixels[None], normalise=True)
    expected = float((text @ image[0]).mean())
    assert SCORE(TextPrediction("\n".join(words)), IMAGES[0]) == pytest.approx(expected, abs=1e-5)


@settings(max_examples=20)
@given(words=WORDS)
def test_blanks_and_empty_lines_are_no_words(words):
    bare, spaced = "\n".join(words), "\n \n".join(f" {word} " for word in words) + "\n\n"
    assert SCORE(TextPrediction(bare), IMAGES[0]) == SCORE(TextPrediction(spaced), IMAGES[0])


def test_of_the_vocabulary_the_worst_word_scores_0_and_the_best_1():
    vocabulary = letter_words(toys.backbones().get("llm"))
    assert len(set(vocabulary)) == len(vocabulary) > 50
    assert all(any(map(str.isalpha, word)) and word == word.strip() for word in vocabulary)
    assert not {"<pad>", "<bos>", "<eos>"} & set(vocabulary)
    for picture in IMAGES:
        scores = [RELATIVE(TextPrediction(word), picture) for word in vocabulary]
        assert min(scores) == pytest.approx(0, abs=1e-5)
        assert max(scores) == pytest.approx(1, abs=1e-5)


def test_scores_do_not_depend_on_what_was_scored_before():
    lion, others = TextPrediction("lion\nrocket"), TextPrediction("tea\ncactus\nred")
    fresh = ClipScore(CONTEXT)(lion, IMAGES[0])
    used = ClipScore(CONTEXT)
    used(others, IMAGES[1])
    used(others, IMAGES[0])
    assert used(lion, IMAGES[0]) == fresh


def test_how_many_words_count_is_a_setting():
    one = ClipScore(CONTEXT, ClipScoreSettings(words=1))
    text = TextPrediction("lion\nrocket")
    assert one(text, IMAGES[0]) == SCORE(TextPrediction("lion"), IMAGES[0])
    assert one(text, IMAGES[0]) != SCORE(text, IMAGES[0])


@pytest.mark.parametrize("score", [SCORE, RELATIVE])
def test_what_is_no_word_or_no_image_is_not_scored(score):
    for prediction, target, message in (
        (TextPrediction(" \n "), IMAGES[0], "says no word"),
        (ImagePrediction(IMAGES[0].pixels), IMAGES[0], "words are scored"),
        (TextPrediction("lion"), "lion", "with an image; the target is a str"),
    ):
        with pytest.raises(ValueError, match=message):
            score(prediction, target)
