import copy
import json

import pytest
from pictures import picture
from pycocotools.coco import COCO

from frostbench.eval_suites.data.coco_captions import (
    CocoCaptionsVal2014,
    CocoCaptionsVal2017,
    KarpathyTest,
    KarpathyVal,
)
from frostbench.eval_suites.data.folder import WholeImageSettings
from frostbench.eval_suites.data.vqav2 import ANNOTATIONS, QUESTIONS, VQAv2Questions
from frostbench.plugins.contract.datasets import CaptionSet, QuestionSet

IDS = (42, 9, 133)  # in no order of theirs
NAMES = {number: f"COCO_val2014_{number:012d}.jpg" for number in IDS}
CAPTIONS = {
    "info": {"year": 2014},
    "images": [
        {"id": number, "file_name": NAMES[number], "height": 30, "width": 40} for number in IDS
    ],
    "annotations": [
        {"id": 3, "image_id": 9, "caption": "A red kite over a beach.\n"},
        {"id": 1, "image_id": 42, "caption": "A dog."},
        {"id": 2, "image_id": 9, "caption": "Somebody flies a kite"},
        {"id": 4, "image_id": 133, "caption": "A bed"},
    ],
}
KARPATHY = {
    "dataset": "coco",
    "images": [
        {
            "cocoid": number,
            "filepath": "val2014",
            "filename": NAMES[number],
            "split": split,
            "sentences": [{"raw": f"{split} {number}", "tokens": []}, {"raw": "again"}],
        }
        for number, split in zip(IDS, ("test", "restval", "test"), strict=True)
    ],
}
ASKED = {
    "questions": [
        {"image_id": 9, "question_id": 9000, "question": "Is the kite red?"},
        {"image_id": 42, "question_id": 42001, "question": "What is it?"},
        {"image_id": 42, "question_id": 42000, "question": "How many dogs?"},
    ]
}
ANSWERED = {
    "annotations": [
        {
            "image_id": number // 1000,
            "question_id": number,
            "multiple_choice_answer": "yes",
            "answers": [{"answer_id": k, "answer": answer} for k in range(10)],
        }
        for number, answer in ((42001, "dog"), (9000, "yes"), (42000, "1"))
    ]
}


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


@pytest.fixture
def coco(tmp_path):
    for number, name in NAMES.items():
        (tmp_path / "val2014").mkdir(exist_ok=True)
        picture(seed=number).save(tmp_path / "val2014" / name)
    write(tmp_path / "annotations" / "captions_val2014.json", CAPTIONS)
    write(tmp_path / "dataset_coco.json", KARPATHY)
    write(tmp_path / QUESTIONS, ASKED)
    write(tmp_path / ANNOTATIONS, ANSWERED)
    return tmp_path


def test_captions_come_in_the_order_of_the_official_reader(coco):
    """pycocotools/coco.py:88 and 177 (2.0.11), which pycocoevalcap/eval.py:17 asks."""
    data = CocoCaptionsVal2014(coco)
    official = COCO(coco / "annotations" / "captions_val2014.json")
    assert isinstance(data, CaptionSet)
    assert [int(one.id) for one in data.captioned()] == official.getImgIds()
    assert list(data.references()) == [
        tuple(entry["caption"].strip() for entry in official.imgToAnns[number])
        for number in official.getImgIds()
    ]
    first = data.captioned()[0]
    assert (first.image.name, first.cluster) == (f"val2014/{NAMES[42]}",) * 2


def test_images_are_whole_unless_a_side_is_set(coco):
    assert CocoCaptionsVal2014(coco).captioned()[1].image.size == (30, 40)
    small = CocoCaptionsVal2014(coco, WholeImageSettings(side=16))
    assert small.captioned()[1].image.size == (16, 16)


def test_names_of_2017_have_no_prefix(tmp_path):
    picture().save(tmp_path / "one.jpg")
    (tmp_path / "images" / "val2017").mkdir(parents=True)
    (tmp_path / "one.jpg").rename(tmp_path / "images" / "val2017" / "000000000009.jpg")
    content = {
        "images": [{"id": 9, "file_name": "000000000009.jpg"}],
        "annotations": [{"id": 1, "image_id": 9, "caption": "a kite"}],
    }
    write(tmp_path / "annotations" / "captions_val2017.json", content)
    (one,) = CocoCaptionsVal2017(tmp_path).captioned()
    assert (one.id, one.captions, one.image.size) == ("9", ("a kite",), (30, 40))


def test_karpathys_splits_are_named_whole_and_in_order(coco):
    """Entries of `dataset_coco.json` in their order: restval is neither split."""
    data = KarpathyTest(coco)
    assert isinstance(data, CaptionSet)
    assert [one.id for one in data.captioned()] == ["42", "133"]
    assert data.references()[0] == ("test 42", "again")
    with pytest.raises(ValueError, match="has no split 'val'; it has restval, test"):
        KarpathyVal(coco)


def test_questions_come_in_the_order_of_the_annotations(coco):
    """GT-Vision-Lab/VQA, PythonHelperTools/vqaTools/vqa.py, `getQuesIds`."""
    data = VQAv2Questions(coco)
    assert isinstance(data, QuestionSet)
    asked = list(data.asked())
    assert [one.id for one in asked] == ["42001", "9000", "42000"]
    assert [one.question for one in asked] == ["What is it?", "Is the kite red?", "How many dogs?"]
    assert asked[0].answers == ("dog",) * 10
    assert asked[0].cluster == asked[2].cluster == f"val2014/{NAMES[42]}"


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"lacks annotations/captions_val2014\.json"):
        CocoCaptionsVal2014(tmp_path)
    with pytest.raises(ValueError, match=r"lacks dataset_coco\.json or annotations/dataset_coco"):
        KarpathyTest(tmp_path)
    with pytest.raises(ValueError, match=r"lacks v2_Open.*, v2_mscoco.*test-dev and test have no"):
        VQAv2Questions(tmp_path)
    write(tmp_path / "dataset_coco.json", KARPATHY)
    with pytest.raises(ValueError, match="lacks val2014 or images/val2014"):
        KarpathyTest(tmp_path)


def changed(value, *path):
    """A copy with the last of `path` at the place that the others name."""
    copied = copy.deepcopy(value)
    *keys, last, new = path
    inner = copied
    for key in keys:
        inner = inner[key]
    inner[last] = new
    return copied


C, K, Q, A = "annotations/captions_val2014.json", "dataset_coco.json", QUESTIONS, ANNOTATIONS
READERS = {C: CocoCaptionsVal2014, K: KarpathyTest, Q: VQAv2Questions, A: VQAv2Questions}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (C, [], "is no mapping but a list; is it the right file"),
        (C, changed(CAPTIONS, "images", {}), "holds a mapping under 'images'"),
        (C, changed(CAPTIONS, "images", 1, "id", 42), "images, entry 1: the id 42 is another"),
        (C, changed(CAPTIONS, "images", 1, "id", "9"), "holds a text under 'id'"),
        (C, changed(CAPTIONS, "images", 1, "file_name", "../../x"), "which leads out"),
        (C, changed(CAPTIONS, "annotations", 0, "image_id", 7), "entry 0 is of image 7, which"),
        (
            C,
            changed(CAPTIONS, "annotations", 0, "caption", 3),
            "entry 0 holds a whole number under 'capt",
        ),
        (C, changed(CAPTIONS, "annotations", []), "has no captions"),
        (K, changed(KARPATHY, "images", 2, "cocoid", 42), "entry 2: the id 42 is another"),
        (K, changed(KARPATHY, "images", 0, "sentences", 0, {}), "sentences, entry 0 has no 'raw'"),
        (K, changed(KARPATHY, "images", 0, "filepath", "../val2014"), "which leads out"),
        (Q, changed(ASKED, "questions", 2, "question_id", 9000), "entry 2: the id 9000"),
        (Q, changed(ASKED, "questions", 2, "question", ""), "entry 2 has no question"),
        (Q, changed(ASKED, "questions", 0, "image_id", 8), "no question 9000 about image 9"),
        (A, changed(ANSWERED, "annotations", 0, "question_id", 7), "no question 7 about image 42"),
        (
            A,
            changed(ANSWERED, "annotations", 2, "question_id", 9000),
            "no question 9000 about image 42",
        ),
        (A, changed(ANSWERED, "annotations", 0, "answers", []), "has 0 answers; VQAv2 has 10"),
        (
            A,
            changed(ANSWERED, "annotations", 0, "answers", 0, {"answer": 1}),
            "holds a whole number under",
        ),
        (A, {"annotations": ANSWERED["annotations"][:1]}, "answers 1 questions of 3; 9000 is one"),
    ],
)
def test_a_broken_file_is_said_with_the_entry(coco, name, content, said):
    write(coco / name, content)
    with pytest.raises(ValueError, match=said):
        READERS[name](coco)


def test_an_image_that_is_not_there_is_said_when_it_is_asked_for(coco):
    data = VQAv2Questions(coco)
    (coco / "val2014" / NAMES[9]).unlink()
    # Type checks of the tests would read samples of the whole sequence.
    first, second = (data._maker(entry) for entry in data._listed[:2])
    assert first().image.size == (30, 40)
    with pytest.raises(ValueError, match=r"no image at .*000000000009\.jpg"):
        second()
