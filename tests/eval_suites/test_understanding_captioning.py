from itertools import pairwise

import pytest
from scene_world import SCENES, classes_in, shown_in

from frostbench.eval_suites.metrics.cider import cider_d_corpus
from frostbench.eval_suites.understanding.captioning import Captioning
from frostbench.eval_suites.understanding.settings import CaptioningSettings
from frostbench.packs.mini.scenes.wording import PLACES, caption_of
from frostbench.plugins.contract.predictions import TextPrediction
from frostbench.plugins.contract.requests import images_of


def instances(limit=12, seed=0, **settings):
    task = Captioning(CaptioningSettings(**settings))
    return list(task.instances(SCENES, limit, seed))


BOTH = {"protocols": ("episodic", "random"), "glyphs": 3}


def test_instances_do_not_depend_on_the_limit():
    longer = instances(9, **BOTH)
    assert instances(4, **BOTH) == longer[:4] + longer[9:13]


def test_the_same_seed_gives_the_same_instances_and_another_seed_others():
    assert instances(**BOTH) == instances(**BOTH)
    assert instances(seed=1) != instances(seed=0)


def test_both_protocols_ask_the_same_scenes():
    every = instances(6, **BOTH)
    assert [one.request.image for one in every[:6]] == [one.request.image for one in every[6:]]
    assert [one.target for one in every[:6]] == [one.target for one in every[6:]]


@pytest.mark.parametrize("glyphs", [1, 3])
def test_what_an_episode_asks_about_stands_in_one_of_its_examples_at_another_place(glyphs):
    counts = set()
    for one in instances(40, glyphs=glyphs):
        asked = shown_in(one.request.image)
        counts.add(len(asked))
        examples = [shown_in(example.image) for example in one.request.examples]
        for name, where in asked.items():
            (place,) = [example[name] for example in examples if name in example]
            assert place != where
        others = [name for example in examples for name in example]
        families = [SCENES.family(name) for name in others]
        assert len(set(families)) == len(families)
    assert counts == set(range(1, glyphs + 1))


def test_examples_are_described_as_they_are_and_the_query_stands_among_the_references():
    for one in instances(**BOTH):
        for example in one.request.examples:
            shown = shown_in(example.image)
            assert example.text == caption_of(list(shown), list(shown.values()))[0]
        shown = shown_in(one.request.image)
        assert one.target[0] == caption_of(list(shown), list(shown.values()))[0]
        assert len(one.target) == {1: 1, 2: 2, 3: 6}[len(shown)]


def test_the_target_is_never_in_the_request():
    for one in instances(30, glyphs=2):
        texts = {example.text for example in one.request.examples}
        assert not texts & set(one.target)
        images = images_of(one.request)
        assert len(images) == 1 + len(one.request.examples)


def test_any_example_gives_the_query_away_as_little_as_any_other():
    places = [
        next(i for i, e in enumerate(one.request.examples) if classes_in(e.image) & asked)
        for one in instances(200)
        for asked in [classes_in(one.request.image)]
    ]
    assert all(20 < places.count(number) < 60 for number in range(5))
    asked = [next(iter(shown_in(one.request.image).values())) for one in instances(200)]
    assert all(20 < asked.count(where) < 60 for where in PLACES)


def test_random_examples_come_from_a_pool_that_holds_no_query():
    every = instances(30, protocols=("random",), pool=8)
    pool = {example.image for one in every for example in one.request.examples}
    assert len(pool) == 8
    assert not pool & {one.request.image for one in every}


def test_the_corpus_knows_no_limit_and_weighs_names_more_than_places():
    task = Captioning(CaptioningSettings(corpus=60))
    corpus = task.corpus(SCENES, 0)
    assert corpus == task.corpus(SCENES, 0)
    assert [one.target for one in instances(5)] == list(corpus[:5])
    score = cider_d_corpus(corpus)
    for reference, other in pairwise(corpus[:10]):
        name, _, where = shown_words(reference[0])
        _, _, elsewhere = shown_words(other[0])
        if where != elsewhere:
            named = score(TextPrediction(f"{name} {elsewhere}."), reference)
            placed = score(TextPrediction(f"a thing {where}."), reference)
            assert score(TextPrediction(reference[0]), reference) == pytest.approx(10)
            assert named > placed


def shown_words(caption):
    where = next(place for place in PLACES if place in caption)
    name, _, _ = caption.partition(f" {where}")
    return name, caption, where


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"examples": 0}, "examples are 1 or more"),
        ({"glyphs": 5}, "a scene has 1 to 4 glyphs"),
        ({"examples": 10, "pool": 4}, "`pool` is 4"),
        ({"protocols": ("oracle",)}, "protocols are among episodic, random"),
        ({"protocols": ()}, "asked were none"),
        ({"corpus": 1}, "2 captions or more"),
    ],
)
def test_settings_that_ask_for_nothing_sensible_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        CaptioningSettings(**wrong)


def test_more_classes_than_there_are_families_are_refused_with_what_to_do():
    with pytest.raises(ValueError, match="Ask for fewer `examples` or `glyphs`"):
        instances(1, examples=40)
