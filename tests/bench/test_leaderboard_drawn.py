"""What the gallery draws of detections, without a page."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from frostbench.bench.leaderboard.drawn import (
    COLOURS,
    FAINT,
    LETTER,
    MOST,
    drawn_found,
    drawn_located,
    drawn_masks,
    drawn_things,
)
from frostbench.bench.store.forms import StoredBoxes, StoredInstances, StoredThing
from frostbench.bench.store.masks import run_lengths

SIZE = (40, 60)
CLASSES = ("cat", "owl")


def mask(left, top, right, bottom):
    full = torch.zeros(*SIZE, dtype=torch.bool)
    full[top:bottom, left:right] = True
    return run_lengths(full[None])[0]


def thing(name="cat", crowd=False):
    return StoredThing(name, (2.0, 3.0, 12.0, 13.0), 100.0, mask(2, 3, 12, 13), crowd)


def test_detections_lie_with_the_best_on_top_in_the_colours_of_their_classes():
    corners = ((0.0, 0.0, 10.0, 10.0), (5.0, 5.0, 20.0, 20.5))
    low, high = drawn_found(StoredBoxes(corners, ("owl", "cat"), (0.9, 0.25)), CLASSES, SIZE)
    assert (low.label.text, low.colour, low.path) == ("cat 0.25", 0, "M5 5H20V20.5H5Z")
    assert (high.label.text, high.colour, high.path) == ("owl 0.90", 1, "M0 0H10V10H0Z")
    assert not low.filled
    assert not low.true


def test_instances_are_contours_and_empty_ones_are_not_drawn():
    masks = [mask(1, 2, 3, 4), mask(0, 0, 0, 0)]
    (one,) = drawn_found(StoredInstances(masks, ("cat", "owl"), (0.5, 0.6)), CLASSES, SIZE)
    assert (one.path, one.filled, one.label.text) == ("M1 2H3V4H1Z", True, "cat 0.50")
    assert [d.path for d in drawn_masks(masks)] == ["M1 2H3V4H1Z"]


@given(count=st.integers(0, 40))
def test_no_more_detections_are_drawn_than_can_be_seen(count):
    scores = tuple(number / 40 for number in range(count))
    found = StoredBoxes(((0.0, 0.0, 9.0, 9.0),) * count, ("cat",) * count, scores)
    drawn = drawn_found(found, CLASSES, SIZE)
    plain = [score for score in scores if score >= FAINT * max(scores)]
    assert len(drawn) == min(len(plain), MOST)
    if count:
        assert drawn[-1].label.text == f"cat {max(scores):.2f}"


def test_what_was_not_asked_for_is_dashed_and_a_crowd_is_a_box():
    things = (thing(), thing("owl", crowd=True))
    one, crowd, other = drawn_things(things, (thing("bee"),), CLASSES, SIZE, masked=True)
    assert (one.filled, one.true, one.label.text) == (True, False, "cat")
    assert (crowd.filled, crowd.label.text, crowd.colour) == (False, "owl, a crowd", 1)
    assert (other.filled, other.true, other.label) == (False, True, None)
    as_box = drawn_things((thing(),), (), CLASSES, SIZE, masked=False)[0]
    assert (as_box.filled, as_box.path) == (False, "M2 3H12V13H2Z")
    boxed = StoredThing("cat", (2.0, 3.0, 12.0, 13.0), 100.0, None, False)
    assert drawn_things((boxed,), (), CLASSES, SIZE, masked=True)[0].path == as_box.path


def test_boxes_of_phrases_have_the_phrases_colours_beside_the_true_ones():
    true, first, second = drawn_located(
        [(0.0, 0.0, 4.0, 4.0), (1.0, 1.0, 5.0, 5.0)], [(0.0, 0.0, 3.0, 3.0)]
    )
    assert (true.true, first.true, first.colour, second.colour) == (True, False, 0, 1)
    assert COLOURS > 1


@given(
    text=st.text("abc ", min_size=1, max_size=40).filter(str.strip),
    left=st.floats(0, 59),
    top=st.floats(0, 39),
)
@pytest.mark.parametrize("size", [SIZE, (200, 30)])
def test_labels_stay_within_the_image(size, text, left, top):
    height, width = size
    edges = (float(min(left, width)), float(min(top, height)), float(width), float(height))
    (one,) = drawn_found(StoredBoxes((edges,), (text,), (1.0,)), (text,), size)
    label = one.label
    assert label.x >= 0
    assert label.x + LETTER * label.size * len(label.text) <= width * 1.02 + 0.1 * len(label.text)
    assert 0 < label.y <= height
