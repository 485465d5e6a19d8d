from collections import Counter

import pytest
from scene_world import SCENES, classes_in, shown_in

from frostbench.eval_suites.metrics.vqa import vqa
from frostbench.eval_suites.understanding.settings import KINDS, QuestionSettings
from frostbench.eval_suites.understanding.visual_question_answering import VisualQuestionAnswering
from frostbench.packs.mini.scenes.wording import NUMBERS, PLACES, with_article
from frostbench.plugins.contract.predictions import TextPrediction
from frostbench.plugins.contract.requests import images_of

BOTH = {"protocols": ("episodic", "random")}


def instances(limit=16, seed=0, **settings):
    task = VisualQuestionAnswering(QuestionSettings(**settings))
    return list(task.instances(SCENES, limit, seed))


def of_kind(kind, limit=50, **settings):
    return instances(limit, kinds=(kind,), **settings)


def true_answer(image, question):
    """What a look at the image answers."""
    shown = shown_in(image)
    if question == "how many things are there?":
        return NUMBERS[len(shown)]
    for name, where in shown.items():
        if question == f"what is {where}?":
            return name
        if question == f"where is the {name}?":
            return where
    return "yes" if any(f"is there {with_article(name)}?" == question for name in shown) else "no"


@pytest.mark.parametrize("glyphs", [1, 4])
def test_every_answer_is_true_of_its_image(glyphs):
    for one in instances(40, glyphs=glyphs, **BOTH):
        assert true_answer(one.request.image, one.request.question) == one.target[0]
        for example in one.request.examples:
            assert true_answer(example.image, example.question) == example.text


def test_instances_do_not_depend_on_the_limit():
    longer = instances(9, **BOTH)
    assert instances(4, **BOTH) == longer[:4] + longer[9:13]


def test_the_same_seed_gives_the_same_instances_and_another_seed_others():
    assert instances(**BOTH) == instances(**BOTH)
    assert instances(seed=1) != instances(seed=0)


def test_both_protocols_ask_the_same_questions():
    every = instances(8, **BOTH)
    for episodic, pooled in zip(every[:8], every[8:], strict=True):
        assert episodic.request.image == pooled.request.image
        assert episodic.request.question == pooled.request.question
        assert episodic.target == pooled.target


def kind_of(question):
    for start, kind in (("what", "what"), ("where", "where"), ("is", "whether")):
        if question.startswith(f"{start} "):
            return kind
    return "how many"


def test_kinds_take_turns_and_examples_of_an_episode_are_of_the_querys_kind():
    every = instances(16)
    assert [kind_of(one.request.question) for one in every] == list(KINDS) * 4
    for one in every:
        kinds = {kind_of(example.question) for example in one.request.examples}
        assert kinds == {kind_of(one.request.question)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("glyphs", [1, 3])
def test_every_class_of_the_query_stands_in_an_example_at_another_place(kind, glyphs):
    for one in of_kind(kind, glyphs=glyphs):
        asked = shown_in(one.request.image)
        examples = [shown_in(example.image) for example in one.request.examples]
        for name, where in asked.items():
            places = [example[name] for example in examples if name in example]
            assert places
            assert where not in places or (kind == "where" and name in one.request.question)


def test_an_answer_that_is_a_name_is_said_once_among_the_examples():
    for one in of_kind("what"):
        said = [example.text for example in one.request.examples]
        assert said.count(one.target[0]) == 1
        assert len(set(said)) == len(said)


def test_where_a_class_is_in_the_examples_says_nothing_of_where_it_is_in_the_query():
    alike = 0
    for one in of_kind("where", 300):
        same = [e.text for e in one.request.examples if e.question == one.request.question]
        assert len(same) == 1
        alike += same[0] == one.target[0]
    assert 40 < alike < 80


def test_whether_a_class_is_there_is_asked_alike_and_half_of_the_answers_are_yes():
    answers = Counter()
    for one in of_kind("whether", 100):
        examples = one.request.examples
        assert {example.question for example in examples} == {one.request.question}
        answers[sum(example.text == "yes" for example in examples), one.target[0]] += 1
        if one.target == ("no",):
            shown = [classes_in(example.image) for example in examples if example.text == "no"]
            assert classes_in(one.request.image) <= set().union(*shown)
    assert set(answers) == {(count, said) for count in (2, 3) for said in ("yes", "no")}
    assert all(10 < number < 40 for number in answers.values())


def test_how_many_are_there_is_answered_by_each_number_as_often():
    for one in of_kind("how many", counted=3, examples=6):
        said = Counter(example.text for example in one.request.examples)
        assert said == {"one": 2, "two": 2, "three": 2}


@pytest.mark.parametrize(
    ("kind", "answers"), [("where", PLACES), ("whether", ("yes", "no")), ("how many", NUMBERS[1:3])]
)
def test_no_answer_is_likelier_than_another(kind, answers):
    counts = Counter(one.target[0] for one in of_kind(kind, 300))
    assert set(counts) == set(answers)
    assert all(0.7 < counts[said] * len(answers) / 300 < 1.3 for said in answers)


def test_the_target_is_no_part_of_the_request_but_in_the_words_of_examples():
    for one in instances(32):
        request = one.request
        assert not set(request.__dict__) & {"target", "answer", "answers"}
        assert len(images_of(request)) == 1 + len(request.examples)
        assert all(example.image != request.image for example in request.examples)


def test_each_accepted_answer_is_fully_right():
    for one in instances(32):
        for said in one.target:
            assert vqa(TextPrediction(said), one.target) == 1
        assert vqa(TextPrediction("nonsense"), one.target) == 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kinds": ("why",)}, "kinds are among what, where, whether, how many"),
        ({"kinds": ()}, "asked were none"),
        ({"counted": 1}, "is always one"),
        ({"examples": 1}, "one of each answer"),
    ],
)
def test_settings_that_ask_for_nothing_sensible_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        QuestionSettings(**wrong)


def test_one_glyph_and_one_example_will_do_for_other_kinds():
    for one in instances(10, glyphs=1, examples=1, kinds=("what", "where")):
        (example,) = one.request.examples
        assert classes_in(example.image) == classes_in(one.request.image)
