import contextlib
import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from frostbench.bench.statistics import AveragePrecision
from frostbench.eval_suites.metrics import detections
from frostbench.eval_suites.metrics.boxes import (
    box_iou,
    sentence_precision,
    strict_sentence_precision,
)
from frostbench.plugins import (
    Boxes,
    Instances,
    Masks,
    TextPrediction,
    Thing,
    TrueBoxes,
    TrueMasks,
    TrueThings,
)
from frostbench.plugins.contract.boxes import box_of

NAMES = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large")
SIDE = 130
CLASSES = ("cat", "dog", "owl")
# Areas at the borders of COCO's sizes, and a pixel beside them.
SIDES = st.sampled_from([1, 8, 31, 32, 33, 64, 95, 96, 97])
AREAS = st.sampled_from([1.0, 1023.0, 1024.0, 1024.5, 9216.0, 9217.0])
SCORES = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]) | st.floats(0, 1, width=32)


@st.composite
def boxes(draw):
    left, top = draw(st.integers(0, 33)), draw(st.integers(0, 33))
    return left, top, draw(SIDES), draw(SIDES)


@st.composite
def images(draw):
    """Things (class, box, area, crowd) and detections (class, box, score) of one image."""
    kinds = st.sampled_from(CLASSES)
    things = draw(st.lists(st.tuples(kinds, boxes(), AREAS, st.booleans()), max_size=5))
    near = [box for _, box, _, _ in things]
    placed = st.builds(
        lambda box, shift: (box[0] + shift, box[1], box[2], box[3]),
        st.sampled_from(near) if near else boxes(),
        st.integers(0, 4),
    )
    found = draw(st.lists(st.tuples(kinds, placed | boxes(), SCORES), max_size=8))
    return things, found * draw(st.sampled_from([1, 1, 1, 15]))


SETS = st.lists(images(), min_size=1, max_size=4)


def edges(box):
    left, top, width, height = map(float, box)
    return left, top, left + width, top + height


def mask(box):
    left, top, right, bottom = map(int, edges(box))
    full = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    full[top:bottom, left:right] = True
    return full


def official(shown, kind):
    """What COCOeval makes of a set as a whole; -1 where it has no value."""
    form = (lambda box: {"bbox": list(box)}) if kind == "bbox" else region
    true = [
        {"image_id": i, "category_id": CLASSES.index(name), "area": area, "iscrowd": int(crowd)}
        | {"bbox": list(box)}
        | form(box)
        for i, (things, _) in enumerate(shown)
        for name, box, area, crowd in things
    ]
    found = [
        {"image_id": i, "category_id": CLASSES.index(name), "score": score} | form(box)
        for i, (_, several) in enumerate(shown)
        for name, box, score in several
    ]
    coco = COCO()
    coco.dataset = {
        "images": [{"id": i, "width": SIDE, "height": SIDE} for i in range(len(shown))],
        "categories": [{"id": number} for number in range(len(CLASSES))],
        "annotations": [{"id": number + 1, **one} for number, one in enumerate(true)],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
        results = coco.loadRes(found)
        evaluation = COCOeval(coco, results, kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats[:6]


def region(box):
    encoded = detections.run_length(mask(box))
    return {"segmentation": {**encoded, "counts": encoded["counts"].decode()}}


def of_boxes(things, found):
    corners = torch.tensor([edges(box) for _, box, _ in found], dtype=torch.float32)
    true = tuple(Thing(name, edges(box), area, None, crowd) for name, box, area, crowd in things)
    names, scores = tuple(name for name, _, _ in found), [score for _, _, score in found]
    return Boxes(corners.reshape(-1, 4), names, torch.tensor(scores)), TrueThings(true)


def of_masks(things, found):
    masks = [mask(box) for _, box, _ in found]
    none = torch.zeros(0, SIDE, SIDE, dtype=torch.bool)
    true = tuple(
        Thing(name, edges(box), area, mask(box), crowd) for name, box, area, crowd in things
    )
    names, scores = tuple(name for name, _, _ in found), [score for _, _, score in found]
    stacked = torch.stack(masks) if masks else none
    return Instances(stacked, names, torch.tensor(scores)), TrueThings(true)


def ours(samples, kind):
    values = []
    for name in NAMES:
        match = getattr(detections, f"{name}_{kind}")
        column = AveragePrecision.of(
            [(f"{i:03}", f"{i:03}", match(*sample)) for i, sample in enumerate(samples)]
        )
        values.append(-1.0 if column.jackknife is None else column.jackknife.value)
    return values


@settings(max_examples=150)
@given(shown=SETS.filter(lambda shown: any(found for _, found in shown)))
def test_averages_of_boxes_are_those_of_cocos_own_evaluation(shown):
    samples = [of_boxes(*image) for image in shown]
    assert np.allclose(ours(samples, "boxes"), official(shown, "bbox"), atol=1e-12, rtol=0)


@settings(max_examples=40)
@given(shown=SETS.filter(lambda shown: any(found for _, found in shown)))
def test_averages_of_masks_are_those_of_cocos_own_evaluation(shown):
    samples = [of_masks(*image) for image in shown]
    assert np.allclose(ours(samples, "masks"), official(shown, "segm"), atol=1e-12, rtol=0)


def test_what_finds_nothing_scores_nothing_and_what_has_nothing_to_find_has_no_value():
    thing = ("cat", (0, 0, 40, 40), 1600.0, False)
    nothing = of_boxes([thing], [])
    assert ours([nothing], "boxes") == [0.0, 0.0, 0.0, -1.0, 0.0, -1.0]
    assert ours([of_boxes([], [("cat", (0, 0, 9, 9), 1.0)])], "boxes") == [-1.0] * 6


def test_boxes_that_are_empty_or_turned_over_are_wrong_and_nothing_else():
    target = TrueThings((Thing("cat", (0.0, 0.0, 40.0, 40.0), 1600.0),))
    for box in ((5.0, 5.0, 5.0, 9.0), (30.0, 30.0, 10.0, 10.0)):
        said = Boxes(torch.tensor([box]), ("cat",), torch.tensor([0.5]))
        (one,) = detections.ap50_boxes(said, target)
        assert one.marks == ("-",)
        assert detections.claimed_asked(said, target) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("match", "prediction", "target", "wrong"),
    [
        ("ap_boxes", TextPrediction("x"), TrueThings(()), "boxes are scored"),
        ("ap_masks", Masks(torch.ones(1, 2, 2).bool()), TrueThings(()), "masks are scored"),
        ("ap_boxes", of_boxes([], [])[0], TrueBoxes(()), "things are to be found"),
        (
            "ap_masks",
            of_masks([], [])[0],
            TrueThings((Thing("cat", (0.0, 0.0, 1.0, 1.0), 1.0),)),
            "1 things without one",
        ),
        (
            "ap_masks",
            Instances(torch.ones(1, 2, 2).bool(), ("cat",), torch.ones(1)),
            TrueThings((Thing("cat", (0.0, 0.0, 1.0, 1.0), 1.0, torch.ones(3, 3).bool()),)),
            r"sizes are \(2, 2\), \(3, 3\)",
        ),
        ("claimed_asked", TextPrediction("x"), TrueThings(()), "boxes or masks are scored"),
    ],
)
def test_what_cannot_be_scored_says_why(match, prediction, target, wrong):
    with pytest.raises(ValueError, match=wrong):
        getattr(detections, match)(prediction, target)


# What is claimed


def things_at(*boxes):
    return tuple(Thing("cat", edges(box), 1.0) for box in boxes)


def test_a_box_claims_the_one_thing_that_it_overlaps_most_whatever_its_class():
    target = TrueThings(things_at((0, 0, 40, 40)), things_at((0, 0, 40, 30), (80, 80, 20, 20)))
    said = of_boxes([], [("dog", (0, 0, 40, 38), 0.9)] * 2)[0]
    assert detections.claimed_asked(said, target) == (1.0, 1.0)
    assert detections.claimed_unasked(said, target) == (0.0, 2.0)
    other = of_boxes([], [("dog", (80, 80, 20, 10), 0.3), ("dog", (0, 0, 40, 30), 0.29)])[0]
    assert detections.claimed_unasked(other, target) == (1.0, 2.0)
    assert detections.claimed_asked(other, target) == (0.0, 1.0)


def test_masks_claim_by_their_boxes_and_crowds_are_not_claimed():
    crowd = Thing("cat", (0.0, 0.0, 40.0, 40.0), 1.0, None, crowd=True)
    target = TrueThings((crowd, *things_at((60, 60, 20, 20))), (crowd,))
    found = [("cat", (0, 0, 40, 40), 1.0), ("cat", (60, 60, 20, 20), 1.0)]
    said, _ = of_masks([], found)
    empty = Instances(torch.zeros(1, SIDE, SIDE).bool(), ("cat",), torch.ones(1))
    assert detections.claimed_asked(said, target) == (1.0, 1.0)
    assert detections.claimed_unasked(said, target) == (0.0, 0.0)
    assert detections.claimed_asked(empty, target) == (0.0, 1.0)


# One box for each phrase


@given(box=boxes(), shift=st.integers(0, 50))
def test_overlaps_of_boxes_are_those_of_their_masks(box, shift):
    moved = (box[0] + min(shift, 33 - min(33, box[0])), *box[1:])
    one, two = mask(box), mask(moved)
    shared = int((one & two).sum()) / int((one | two).sum())
    assert box_iou(box_of(one), box_of(two)) == pytest.approx(shared)


def test_half_is_enough_where_it_is_not_strict():
    target = TrueBoxes(((0.0, 0.0, 2.0, 1.0), (0.0, 0.0, 2.0, 1.0)))
    halves = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 2.0, 1.0]])
    said = Boxes(halves, ("a", "b"), torch.ones(2))
    assert sentence_precision(said, target) == (2.0, 2.0)
    assert strict_sentence_precision(said, target) == (1.0, 2.0)
    turned = Boxes(torch.tensor([[2.0, 1.0, 0.0, 0.0]] * 2), ("a", "b"), torch.ones(2))
    assert sentence_precision(turned, target) == (0.0, 2.0)
    with pytest.raises(ValueError, match="a Boxes and a TrueMasks"):
        sentence_precision(said, TrueMasks(torch.ones(1, 2, 2).bool()))
