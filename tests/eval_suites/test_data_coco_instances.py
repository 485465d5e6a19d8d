import copy
import json
import re

import pytest
import torch
from pictures import picture
from pycocotools.coco import COCO

from frostbench.eval_suites.data.coco_instances import CocoInstancesVal2014, CocoInstancesVal2017
from frostbench.eval_suites.detection.settings import DetectionSettings
from frostbench.eval_suites.detection.things import InstanceSegmentation, ObjectDetection
from frostbench.plugins.contract.datasets import BoxSet
from frostbench.plugins.contract.images import UnreadableError
from frostbench.plugins.contract.task import Unreadable

WIDTH, HEIGHT = 40, 30
CONTENT = {
    "images": [
        {"id": number, "file_name": f"{number:012d}.jpg", "height": HEIGHT, "width": WIDTH}
        for number in (139, 9, 50)  # in no order of theirs
    ],
    "categories": [
        {"id": 90, "name": "toothbrush", "supercategory": "indoor"},
        {"id": 1, "name": "person", "supercategory": "person"},
        {"id": 18, "name": "dog", "supercategory": "animal"},
    ],
    "annotations": [
        {
            "id": 3,
            "image_id": 9,
            "category_id": 18,
            "iscrowd": 0,
            "bbox": [10.5, 5.0, 12.0, 10.25],
            "area": 100.5,
            "segmentation": [[10, 5, 22, 5, 22, 15, 10, 15], [30, 20, 34, 20, 34, 24]],
        },
        {
            "id": 1,
            "image_id": 9,
            "category_id": 1,
            "iscrowd": 1,
            "bbox": [0, 0, 2, HEIGHT],
            "area": 2 * HEIGHT,
            "segmentation": {
                "size": [HEIGHT, WIDTH],
                "counts": [0, 2 * HEIGHT, HEIGHT * (WIDTH - 2)],
            },
        },
        {
            "id": 2,
            "image_id": 50,
            "category_id": 90,
            "iscrowd": 0,
            "bbox": [0, 0, 40, 30],
            "area": 1200,
            "segmentation": {"size": [HEIGHT, WIDTH], "counts": "0`U1"},
        },
    ],
}


def write(folder, content, split="val2017"):
    path = folder / "annotations" / f"instances_{split}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def coco(tmp_path):
    (tmp_path / "val2017").mkdir()
    for entry in CONTENT["images"]:
        file = picture(WIDTH, HEIGHT, seed=entry["id"])
        mode = "L" if entry["id"] == 50 else "RGB"  # some of COCO's are grey
        file.convert(mode).save(tmp_path / "val2017" / entry["file_name"])
    write(tmp_path, CONTENT)
    return tmp_path


def test_images_and_things_come_in_the_order_of_the_official_reader(coco):
    """pycocotools/coco.py:88 and 177, and cocoeval.py:81 for classes (2.0.11)."""
    data = CocoInstancesVal2017(coco)
    official = COCO(coco / "annotations" / "instances_val2017.json")
    assert isinstance(data, BoxSet)
    assert [int(one.id) for one in data.boxed()] == official.getImgIds()
    names = [one["name"] for one in official.loadCats(sorted(official.getCatIds()))]
    assert list(data.classes) == names == ["person", "dog", "toothbrush"]
    for one in data.boxed():
        entries = official.imgToAnns[int(one.id)]
        assert len(one.things) == len(entries)
        for thing, entry in zip(one.things, entries, strict=True):
            left, top, width, height = entry["bbox"]
            assert thing.name == official.cats[entry["category_id"]]["name"]
            assert thing.box == (left, top, left + width, top + height)
            assert (thing.area, thing.crowd) == (entry["area"], bool(entry["iscrowd"]))
            drawn = torch.from_numpy(official.annToMask(entry)).bool()
            assert torch.equal(thing.mask, drawn)
            assert int(drawn.sum()) > 0


def test_images_without_things_count_and_grey_ones_are_read(coco):
    empty, _, grey = CocoInstancesVal2017(coco).boxed()
    assert (empty.id, empty.things) == ("000000000139", ())
    assert empty.cluster == "val2017/000000000139.jpg"
    assert grey.image.size == (HEIGHT, WIDTH)
    assert torch.equal(grey.image.pixels[0], grey.image.pixels[2])


def test_names_of_2014_have_a_prefix_and_may_lie_in_images(coco):
    (coco / "images").mkdir()
    (coco / "val2017").rename(coco / "images" / "val2014")
    content = copy.deepcopy(CONTENT)
    for entry in content["images"]:
        name = f"COCO_val2014_{entry['file_name']}"
        (coco / "images" / "val2014" / entry["file_name"]).rename(
            coco / "images" / "val2014" / name
        )
        entry["file_name"] = name
    write(coco, content, "val2014")
    first = CocoInstancesVal2014(coco).boxed()[1]
    assert first.image.name == "images/val2014/COCO_val2014_000000000009.jpg"


def changed(place, index, **values):
    content = copy.deepcopy(CONTENT)
    content[place][index].update(values)
    for key in [key for key, value in content[place][index].items() if value is ...]:
        del content[place][index][key]
    return content


CROWD = {"size": [HEIGHT, WIDTH], "counts": [0, 60]}
ENTRY = re.escape("instances_val2017.json, annotations, entry 0 ")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (changed("annotations", 0, bbox=[1, 2, 3]), ENTRY + ".* box, and 4 finite numbers"),
        (changed("annotations", 0, bbox=[1, 2, 3, float("nan")]), "4 finite numbers"),
        (changed("annotations", 0, bbox=[1, 2, 3, float("inf")]), "4 finite numbers"),
        (changed("annotations", 0, bbox=[1, 2, 3, 10**400]), "4 finite numbers"),
        (changed("annotations", 0, bbox=["1", 2, 3, 4]), "4 finite numbers"),
        (changed("annotations", 0, bbox={"x": 1}), "4 finite numbers"),
        (changed("annotations", 0, bbox=...), "None for its box"),
        (changed("annotations", 0, bbox=[1, 2, -3, 4]), "box of -3 x 4"),
        (changed("annotations", 0, bbox=[1, 2, 300, 4]), "far out of its image"),
        (changed("annotations", 0, area=float("nan")), "area, and 1 finite"),
        (changed("annotations", 0, area=-1), "area of -1"),
        (changed("annotations", 0, iscrowd=2), "'iscrowd', which is 0 or 1"),
        (changed("annotations", 0, iscrowd=[0]), "'iscrowd', which is 0 or 1"),
        (changed("annotations", 0, category_id=2), r"category 2, .* 3 categories \(1, 18, 90"),
        (changed("annotations", 0, category_id="dog"), "holds a text under 'category_id'"),
        (changed("annotations", 0, id=1), "entry 1 has the id 1, which is that of .*entry 0 too"),
        (changed("annotations", 0, segmentation=[[1, 1, 9, 9]]), "neither polygons"),
        (changed("annotations", 0, segmentation=[[1, 1, 9, 9, 9]]), "neither polygons"),
        (changed("annotations", 0, segmentation=[[1, 1, 9, 1, 1e30, 9]]), "neither polygons"),
        (changed("annotations", 0, segmentation=[5]), "neither polygons"),
        (changed("annotations", 0, segmentation="x"), "holds a text under 'segmentation'"),
        (changed("annotations", 0, segmentation=CROWD), "neither polygons nor run lengths"),
        (
            changed("annotations", 0, segmentation={**CROWD, "size": [3, 20]}),
            r"its mask is \(3, 20\), and the image \(30, 40\)",
        ),
        (changed("annotations", 0, segmentation={**CROWD, "counts": "abc"}), "neither polygons"),
        (changed("images", 1, height=31), r"\(31, 40\) pixels .* and it has \(30, 40\)"),
        (changed("images", 1, height=...), "has no 'height'"),
        (changed("images", 1, file_name="../x.jpg"), "leads out of"),
        (changed("images", 1, file_name="none.jpg"), "no image at"),
    ],
)
def test_what_is_wrong_with_one_image_takes_no_other_along(coco, content, said):
    write(coco, content)
    first, _, third = range(3)
    images = CocoInstancesVal2017(coco).boxed()
    assert len(images) == 3
    with pytest.raises(UnreadableError, match=said) as raised:
        images[1]
    assert str(raised.value).count(". ") <= 1
    assert images[first].things == ()
    assert images[third].things[0].name == "toothbrush"


def test_an_image_that_is_listed_twice_is_said_and_run_once(coco):
    content = copy.deepcopy(CONTENT)
    content["images"].append(content["images"][0])
    write(coco, content)
    images = CocoInstancesVal2017(coco).boxed()
    assert images[0].id == "000000000139"
    with pytest.raises(
        UnreadableError, match=r"entry 3 has the id 139, which is that of .*entry 0"
    ):
        images[3]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({**CONTENT, "categories": []}, "has no categories"),
        ({**CONTENT, "categories": CONTENT["categories"] * 2}, "another category 90"),
        (changed("categories", 0, name="dog"), "another category 18 or 'dog'"),
        (changed("categories", 0, name=" "), "has no name"),
        (changed("annotations", 0, image_id=7), "of image 7, which is not among the images"),
        (changed("annotations", 0, id=...), "has no 'id'"),
        ({"images": []}, "has no 'categories'"),
        ([], "is no mapping but a list"),
    ],
)
def test_what_is_wrong_with_the_file_ends_in_a_sentence(coco, content, said):
    write(coco, content)
    with pytest.raises(ValueError, match=said):
        CocoInstancesVal2017(coco)


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"lacks annotations/instances_val2017\.json"):
        CocoInstancesVal2017(tmp_path)
    write(tmp_path, CONTENT)
    with pytest.raises(ValueError, match="lacks val2017 or images/val2017"):
        CocoInstancesVal2017(tmp_path)


# As the tasks ask it


def test_all_classes_are_named_or_a_part_and_the_rest_is_unasked(coco):
    settings = ObjectDetection.suited(DetectionSettings(), CocoInstancesVal2017(coco))
    assert settings.sizes == ("small", "medium", "large")
    task = ObjectDetection(settings)
    assert "ap_large[coco-boxes-own_score]" in task.card.metrics
    asked = list(task.instances(CocoInstancesVal2017(coco), 10, 0))
    every = [one for one in asked if one.protocol == "all_classes"]
    some = [one for one in asked if one.protocol == "some_classes"]
    assert [one.request.id for one in every] == [one.request.id for one in some]
    assert every[1].request.id == "object_detection-000000000009"
    assert {one.request.classes for one in every} == {("person", "dog", "toothbrush")}
    ((*named,),) = {one.request.classes for one in some}
    assert len(named) == 2
    for whole, part in zip(every, some, strict=True):
        assert whole.target.unasked == ()
        assert {one.name for one in part.target.things} <= set(named)
        assert not {one.name for one in part.target.unasked} & set(named)
        kept = len(part.target.things) + len(part.target.unasked)
        assert kept == len(whole.target.things)


def test_a_broken_image_is_a_failed_sample_and_masks_need_masks(coco):
    write(coco, changed("annotations", 0, bbox=[1]))
    task = ObjectDetection(DetectionSettings(protocols=("all_classes",)))
    kinds = [type(one) for one in task.instances(CocoInstancesVal2017(coco), 10, 0)]
    assert kinds.count(Unreadable) == 1
    write(coco, changed("annotations", 0, segmentation=...))
    found = InstanceSegmentation(DetectionSettings(protocols=("all_classes",))).instances(
        CocoInstancesVal2017(coco), 10, 0
    )
    (broken,) = (one for one in found if isinstance(one, Unreadable))
    assert "'000000000009' has things without a mask" in broken.error
