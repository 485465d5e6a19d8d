import json
import os
import pickle
import re

import annotation_trees
import numpy as np
import pytest
import torch
from annotation_trees import HEIGHT, REF, WIDTH, said, thought, write

from frostbench.eval_suites.data.png import PanopticNarratives
from frostbench.eval_suites.data.pope import PopeQuestions
from frostbench.eval_suites.data.refcoco import Expressions
from frostbench.eval_suites.data.regions import mask_of
from frostbench.eval_suites.data.viscot import VisualCotQuestions
from frostbench.eval_suites.detection.locating import VisualGrounding
from frostbench.eval_suites.detection.settings import LocatingSettings
from frostbench.eval_suites.grounding.hallucination import ObjectHallucination
from frostbench.eval_suites.grounding.segmentation import NarrativeGrounding, ReferringSegmentation
from frostbench.eval_suites.grounding.settings import (
    HallucinationSettings,
    NarrativeSettings,
    ReferringSettings,
    ThoughtSettings,
)
from frostbench.eval_suites.grounding.thought import VisualChainOfThought
from frostbench.plugins.backbones.published import read_pickle
from frostbench.plugins.host.errors import UserNote


@pytest.fixture
def refcoco(tmp_path):
    return annotation_trees.refcoco(tmp_path)


def test_expressions_are_read_by_split_and_image(refcoco):
    (found,) = Expressions(refcoco, "refcoco", "unc", "testA").referred(0)
    assert found.id == "9"
    assert [one.id for one in found.referents] == ["1", "2"]  # each annotation once
    # lichengunc/refer gives every referent of the file its sentences.
    assert found.referents[0].sentences == ("Left dog", "dog by the door", "guys dog left")
    one, two = (referent.mask for referent in found.referents)
    assert one.shape == (HEIGHT, WIDTH)
    assert one[:3, :6].all()
    assert int(one.sum()) == 18
    assert two[:, 0].all()
    assert int(two.sum()) == HEIGHT


def test_both_protocols_ask_what_the_file_says(refcoco):
    data = Expressions(refcoco, "refcoco", "unc", "testA")
    asked = list(ReferringSegmentation(ReferringSettings()).instances(data, 10, 0))
    standard = [one.request.phrases for one in asked if one.protocol == "standard"]
    assert standard == [
        ("Left dog",),
        ("dog by the door",),
        ("guys dog left",),
        ("dog by the door",),
    ]
    (official,) = (one for one in asked if one.protocol == "official")
    # mmdet/datasets/refcoco.py: `raw` in lower case, and of one annotation the last entry.
    assert official.request.phrases == ("guy's dog, left", "dog, by the door")
    assert official.target.masks.shape == (2, HEIGHT, WIDTH)


def test_every_sentence_is_located_and_its_box_is_the_annotations_own(refcoco):
    data = Expressions(refcoco, "refcoco", "unc", "testA")
    asked = list(VisualGrounding(LocatingSettings()).instances(data, 10, 0))
    assert [one.request.phrases[0] for one in asked] == [
        "Left dog",
        "dog by the door",
        "guys dog left",
        "dog by the door",
    ]
    boxes = [one.target.boxes for one in asked]
    assert boxes[0] == ((0.5, 0.0, 5.75, 3.0),)
    assert boxes[3] == ((0.0, 0.0, 1.0, float(HEIGHT)),)  # without one, that of the mask
    assert {one.cluster for one in asked} == {"9"}


def test_a_box_that_is_none_fails_its_image(refcoco):
    path = refcoco / "refcoco" / "instances.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["bbox"] = [1, 2, 3]
    path.write_text(json.dumps(content))
    data = Expressions(refcoco, "refcoco", "unc", "testA")
    (broken,) = VisualGrounding(LocatingSettings()).instances(data, 10, 0)
    assert "4 finite numbers are wanted" in broken.error


def test_a_split_is_named_whole(refcoco):
    with pytest.raises(ValueError, match="no split 'val'; it has test, testA"):
        Expressions(refcoco, "refcoco", "unc", "val")


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(ValueError, match=re.escape("lacks refcoco/refs(unc).p, refcoco/inst")):
        Expressions(tmp_path, "refcoco", "unc", "val")
    with pytest.raises(ValueError, match=r"lacks coco_pope_random\.json, coco_pope_popular\.json"):
        PopeQuestions(tmp_path)
    with pytest.raises(ValueError, match=r"lacks annotations/png_coco_val2017\.json"):
        PanopticNarratives(tmp_path)
    with pytest.raises(ValueError, match="lacks benchmark or viscot_benchmark/benchmark"):
        VisualCotQuestions(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ann_id": 5}, "instances.json has no annotation 5"),
        ({"sentences": []}, "has no sentence in the split"),
        ({"sentences": [{"raw": "x"}]}, "entry 0, sentences, entry 0 has no 'sent'"),
        ({"sentences": [{"sent": "x"}]}, "entry 0, sentences, entry 0 has no 'raw'"),
        ({"sentences": [{"sent": "x", "raw": " "}]}, "has no sentence as it was typed"),
        ({"image_id": "9"}, "holds a text under 'image_id'"),
    ],
)
def test_a_wrong_reference_ends_in_a_sentence(refcoco, change, said):
    broken = pickle.dumps([{**REF, **change}], protocol=2)
    (refcoco / "refcoco" / "refs(unc).p").write_bytes(broken)
    with pytest.raises(ValueError, match=re.escape(said)):
        list(Expressions(refcoco, "refcoco", "unc", "testA").referred(0))


def test_another_file_in_its_place_ends_in_a_sentence(refcoco):
    (refcoco / "refcoco" / "instances.json").write_text("[]")
    with pytest.raises(ValueError, match="is no mapping but a list; is it the right file"):
        Expressions(refcoco, "refcoco", "unc", "testA")
    (refcoco / "refcoco" / "instances.json").write_text("{")
    with pytest.raises(ValueError, match="is no JSON"):
        Expressions(refcoco, "refcoco", "unc", "testA")


@pytest.mark.parametrize(
    ("segmentation", "said"),
    [
        ("polygon", "neither polygons nor run lengths"),
        ({"size": [2, 2], "counts": [4]}, "its mask is (2, 2), and the image (6, 8)"),
    ],
)
def test_a_segmentation_that_is_none_issaid(segmentation, said):
    with pytest.raises(ValueError, match=re.escape(f"here: {said}" if "mask" in said else said)):
        mask_of(segmentation, (HEIGHT, WIDTH), "here")


def test_an_empty_mask_issaid(refcoco):
    annotations = [{"id": 1, "segmentation": {"size": [HEIGHT, WIDTH], "counts": [48]}}]
    write(refcoco / "refcoco" / "instances.json", {"annotations": annotations})
    with pytest.raises(ValueError, match="the mask of annotation 1 is empty"):
        list(Expressions(refcoco, "refcoco", "unc", "testA").referred(0))


class _Code:
    def __reduce__(self):
        return os.mkdir, ("harm",)


@pytest.mark.parametrize("content", [pickle.dumps(_Code()), pickle.dumps(np.zeros(2)), b"", b"no"])
def test_a_pickle_of_more_than_plain_values_is_refused_and_runs_nothing(
    content, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "refs.p"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="cannot be read as a pickle of plain values"):
        read_pickle(path.read_bytes(), path)
    assert not (tmp_path / "harm").exists()


def test_plain_pickles_of_old_and_new_are_read(tmp_path):
    value = [{"a": (1, 2.5, "ä", None, True), "b": {"c": []}}]
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        content = pickle.dumps(value, protocol=protocol)
        assert read_pickle(content, tmp_path / "p") == value


# Panoptic Narrative Grounding


@pytest.fixture
def png(tmp_path):
    return annotation_trees.png(tmp_path)


def test_narratives_have_a_mask_for_each_grounded_phrase(png):
    (found,) = PanopticNarratives(png).narratives(0)  # the one without a phrase is left out
    assert found.text == "Two dogs run on the grass near one dog"
    said = [found.text[start:end] for start, end in found.phrases]
    assert said == ["Two dogs", "the grass", "near one dog"]
    assert found.masks.sum((1, 2)).tolist() == [3 * WIDTH, 2 * WIDTH, 2 * WIDTH]
    assert found.kinds == (("thing", "plural"), ("stuff", "singular"), ("thing", "singular"))


def test_narrative_grounding_takes_a_file_and_its_groups(png):
    task = NarrativeGrounding(NarrativeSettings(groups=("all", "stuff"), data="png_val2017"))
    assert task.card.metrics[:2] == ("average_recall[all]", "average_recall[stuff]")
    (instance,) = task.instances(PanopticNarratives(png), 5, 0)
    assert instance.request.texts == ("Two dogs", "the grass", "near one dog")


def test_segments_that_are_nowhere_aresaid(png):
    path = png / "annotations/png_coco_val2017.json"
    write(path, [{"image_id": "9", "segments": [said("a cat", [4])]}])
    with pytest.raises(ValueError, match="image 9 has no panoptic segment 4"):
        list(PanopticNarratives(png).narratives(0))
    write(path, [{"image_id": "9", "segments": [said("cats", [4], plural=True)]}])
    with pytest.raises(ValueError, match=r"no pixel is of its segments \[4\]; its mask is empty"):
        list(PanopticNarratives(png).narratives(0))
    write(path, {"images": []})
    with pytest.raises(ValueError, match="is no list but a mapping; is it the right file"):
        PanopticNarratives(png)


# POPE


@pytest.fixture
def pope(tmp_path):
    return annotation_trees.pope(tmp_path)


def test_popes_questions_keep_their_order_and_protocol(pope):
    task = ObjectHallucination(HallucinationSettings(data="pope_coco"))
    asked = list(task.instances(PopeQuestions(pope), 10, 0))
    assert [one.protocol for one in asked] == [p for p in task.card.protocols for _ in range(2)]
    assert [one.target for one in asked] == ["yes", "no"] * 3
    assert all(one.request.question == f"Is there a {one.protocol}?" for one in asked)
    assert {one.cluster for one in asked} == {"COCO_val2014_000000000009.jpg"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"question_id": 1, "image": "x", "text": "?", "label": "maybe"}', "label is 'maybe'"),
        ('{"question_id": 1}', "line 1 has no 'label'"),
        ("[]", "line 1 is no mapping but a list"),
        ("yes", "line 1 is no JSON"),
    ],
)
def test_a_wrong_line_of_pope_ends_in_a_sentence(pope, line, said):
    (pope / "coco_pope_random.json").write_text(line)
    with pytest.raises(ValueError, match=said):
        list(PopeQuestions(pope).questions("random", 0))


# Visual CoT


@pytest.fixture
def viscot(tmp_path):
    return annotation_trees.viscot(tmp_path)


def test_questions_of_visual_cot_take_turns_and_keep_their_boxes(viscot):
    with pytest.warns(UserNote, match=r"gqa\.json, entry 1 is left out: nothing of cot/gqa/9\.jpg"):
        found = list(VisualCotQuestions(viscot).details(0))
    assert [one.id for one in found] == ["gqa-00000", "vsr-00000", "vsr-00001"]
    assert found[0].text == "What is on the table?"
    assert found[0].answers == ("a cup",)
    assert found[0].box == (64.0, 120.0, 192.0, 240.0)
    # The four floats are parts of the image padded to a square in its middle.
    _, top, _, _ = found[0].box
    assert (top + (640 - 480) / 2) / 640 == pytest.approx(0.313, abs=1e-3)


def test_all_ways_ask_the_same_questions_of_visual_cot(viscot):
    task = VisualChainOfThought(ThoughtSettings(data="viscot"))
    asked = list(task.instances(VisualCotQuestions(viscot), 2, 0))
    by_way = [[i.request.question for i in asked if i.protocol == p] for p in task.card.protocols]
    assert by_way == [["What is on the table?", "Who?"]] * 3


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"image": ["a"], "conversations": []}, "is no question of Visual CoT"),
        (thought("cot/gqa/9.jpg", "[1, 2]"), "is no box of four numbers"),
        (thought("cot/gqa/9.jpg", "[1, 2, 3, 4]", question=""), "asks nothing"),
        (thought("cot/gqa/10.jpg", "[1, 2, 3, 4]"), "no image at"),
    ],
)
def test_a_wrong_entry_of_visual_cot_ends_in_a_sentence(viscot, entry, said):
    write(viscot / "benchmark/gqa.json", [entry])
    with pytest.raises(ValueError, match=said):
        list(VisualCotQuestions(viscot).details(0))


def test_a_image_of_one_pixel_has_a_mask_of_one_pixel():
    mask = mask_of({"size": [1, 1], "counts": [0, 1]}, (1, 1), "here")
    assert torch.equal(mask, torch.ones(1, 1, dtype=torch.bool))
