import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.requests import (
    Ground,
    Refine,
    Segment,
    masks_asked,
    spans_in,
    within,
)

IMAGE = Image(torch.zeros(3, 6, 8))
TEXT = "Two dogs run on the grass behind two dogs."


def test_phrases_are_found_in_the_order_of_the_text():
    phrases = ("dogs", "the grass", "dogs")
    spans = spans_in(TEXT, phrases)
    assert tuple(TEXT[start:end] for start, end in spans) == phrases
    assert spans[0] < spans[1] < spans[2]
    assert Ground("g", IMAGE, TEXT, spans).texts == phrases


@pytest.mark.parametrize(
    ("phrases", "said"),
    [
        (("a cat",), "the phrase 'a cat' is not in the text 'Two dogs run"),
        (("the grass", "run"), "the phrase 'run' is not after 'Two dogs run on the grass' in"),
        (("",), "the phrase '' is not in the text"),
    ],
)
def test_a_phrase_that_is_not_in_the_text_is_named(phrases, said):
    with pytest.raises(ValueError, match=said):
        spans_in(TEXT, phrases)


@given(start=st.integers(-3, 60), end=st.integers(-3, 60))
def test_a_span_lies_in_its_narrative_and_is_not_blank(start, end):
    sound = 0 <= start < end <= len(TEXT) and bool(TEXT[start:end].strip())
    if sound:
        assert Ground("g", IMAGE, TEXT, ((start, end),)).texts == (TEXT[start:end],)
    else:
        with pytest.raises(ValueError, match="request 'g': characters"):
            Ground("g", IMAGE, TEXT, ((start, end),))


def test_what_asks_for_nothing_is_refused():
    for make in (
        lambda: Segment("x", IMAGE, ()),
        lambda: Segment("x", IMAGE, ("a dog", " ")),
        lambda: Ground("x", IMAGE, TEXT, ()),
        lambda: Refine("x", IMAGE, ()),
    ):
        with pytest.raises(ValueError, match="request 'x'"):
            make()


@pytest.mark.parametrize(
    "box", [(0.0, 0.0, 0.0, 3.0), (0.0, 4.0, 3.0, 4.0), (-1.0, 0.0, 3.0, 3.0), (0.0, 0.0, 9.0, 3.0)]
)
def test_a_box_lies_in_its_image_and_is_not_empty(box):
    assert not within(box, IMAGE.size)
    with pytest.raises(ValueError, match=r"is no box .* within 8 x 6 pixels"):
        Refine("x", IMAGE, (box,))


def test_as_many_masks_are_asked_for_as_there_are_phrases_or_boxes():
    assert masks_asked(Segment("a", IMAGE, ("x", "y"))) == 2
    assert masks_asked(Ground("b", IMAGE, TEXT, ((0, 3),))) == 1
    assert masks_asked(Refine("c", IMAGE, ((0.0, 0.0, 8.0, 6.0), (1.0, 1.0, 2.0, 2.0)))) == 2
