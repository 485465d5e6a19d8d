"""Requests for boxes and instances, and what answers them."""

import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from frostbench.plugins import Boxes, Detect, Image, Instances, Locate, SegmentInstances
from frostbench.plugins.contract.asked import asked_of, phrases_of
from frostbench.plugins.contract.validity import check_prediction

HEIGHT, WIDTH = 6, 8
IMAGE = Image(torch.zeros(3, HEIGHT, WIDTH))
DETECT = Detect("d", IMAGE, ("cat", "dog"))
INSTANCES = SegmentInstances("s", IMAGE, ("cat", "dog"))
LOCATE = Locate("l", IMAGE, ("a cat", "the dog", "a cat"))


def boxes(*rows, classes=None, scores=None):
    given = torch.tensor(rows, dtype=torch.float32).view(-1, 4)
    names = ("cat",) * len(given) if classes is None else classes
    return Boxes(given, names, torch.full((len(given),), 0.5) if scores is None else scores)


@pytest.mark.parametrize("kind", [Detect, SegmentInstances])
def test_classes_are_named_each_once(kind):
    for classes, said in (
        ((), "names no class to look for"),
        (("cat", " "), "a class of request 'x' is blank"),
        (("cat", "dog", "cat"), "names the class 'cat' twice"),
    ):
        with pytest.raises(ValueError, match=said):
            kind("x", IMAGE, classes)


def test_phrases_to_locate_are_not_blank_and_may_come_twice():
    for phrases, said in (((), "has no phrase to locate"), (("a cat", "\t"), "is blank")):
        with pytest.raises(ValueError, match=said):
            Locate("x", IMAGE, phrases)
    assert phrases_of(LOCATE) == LOCATE.phrases
    assert phrases_of(DETECT) == ()


def test_what_was_asked_is_shown_with_its_phrases():
    text, spans = asked_of(LOCATE)
    assert [text[start:end] for start, end in spans] == list(LOCATE.phrases)
    assert asked_of(DETECT) == asked_of(INSTANCES) == ("cat, dog", ((0, 3), (5, 8)))


@given(box=st.tuples(*[st.floats(-2, 10, width=32)] * 4))
def test_a_box_lies_in_the_image_or_is_refused(box):
    left, top, right, bottom = box
    inside = all(0 <= x <= WIDTH for x in (left, right)) and all(
        0 <= y <= HEIGHT for y in (top, bottom)
    )
    if inside:
        check_prediction(boxes(box), DETECT)
    else:
        with pytest.raises(ValueError, match="is not within 8 x 6 pixels"):
            check_prediction(boxes(box), DETECT)


@given(score=st.floats(-1, 2, width=32))
def test_a_score_lies_from_0_to_1_whatever_was_asked(score):
    scores = torch.tensor([score])
    answers = (
        (boxes((0, 0, 1, 1), scores=scores), DETECT),
        (Instances(torch.ones(1, HEIGHT, WIDTH, dtype=torch.bool), ("dog",), scores), INSTANCES),
        (boxes((0, 0, 1, 1), classes=("a cat",), scores=scores), Locate("l", IMAGE, ("a cat",))),
    )
    for prediction, request in answers:
        if 0 <= score <= 1:
            check_prediction(prediction, request)
        else:
            with pytest.raises(ValueError, match=r"score .* is outside of \[0, 1\]"):
                check_prediction(prediction, request)


def test_nothing_found_is_an_answer():
    check_prediction(boxes(), DETECT)
    nothing = Instances(torch.zeros(0, HEIGHT, WIDTH, dtype=torch.bool), (), torch.zeros(0))
    check_prediction(nothing, INSTANCES)


def unchecked(masks, classes, scores):
    # As an author's code makes them, whose types nobody checks.
    made = object.__new__(Instances)
    for name, value in (("masks", masks), ("classes", classes), ("scores", scores)):
        object.__setattr__(made, name, value)
    return made


def masks(count, height=HEIGHT, width=WIDTH):
    return torch.zeros(count, height, width, dtype=torch.bool)


@pytest.mark.parametrize(
    ("prediction", "request_", "said"),
    [
        (boxes((0, 0, 1, 1), classes=("cow",)), DETECT, "there are cow among the classes"),
        (boxes((0, 0, 1, 1), classes=()), DETECT, "boxes, classes and scores differ in number"),
        (boxes((0, 0, 1, torch.nan)), DETECT, "boxes has NaN or infinity in 1 values"),
        (boxes((0, 0, 1, 1), scores=torch.tensor([torch.nan])), DETECT, "scores has NaN"),
        (Instances(masks(1), ("cow",), torch.ones(1)), INSTANCES, "there are cow among"),
        (Instances(masks(1), (), torch.ones(1)), INSTANCES, "masks, classes and scores differ"),
        (unchecked(masks(1), ("cat",), torch.ones(2)), INSTANCES, "[2, 6, 8] was asked for"),
        (Instances(masks(1, 5), ("cat",), torch.ones(1)), INSTANCES, "one mask a score at the"),
        (boxes((0, 0, 1, 1), classes=("a cat",)), LOCATE, "there are 1 boxes of ('a cat',)"),
        (
            boxes(*[(0, 0, 1, 1)] * 3, classes=("the dog", "a cat", "a cat")),
            LOCATE,
            "one for each of ('a cat', 'the dog', 'a cat') was asked for, in this order",
        ),
        (boxes((0, 0, 1, 1), classes=LOCATE.phrases), LOCATE, "there are 1 boxes of"),
    ],
)
def test_what_does_not_answer_is_refused_in_one_sentence(prediction, request_, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        check_prediction(prediction, request_)


def test_kinds_of_predictions_are_not_mistaken():
    for prediction, request, wanted in (
        (boxes(), INSTANCES, "Instances"),
        (Instances(masks(0), (), torch.zeros(0)), DETECT, "Boxes"),
        (Instances(masks(0), (), torch.zeros(0)), LOCATE, "Boxes"),
    ):
        with pytest.raises(TypeError, match=f"where {wanted} was asked for"):
            check_prediction(prediction, request)
