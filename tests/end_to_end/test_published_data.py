"""Published layouts, in trees of a few files, through the command line."""

import blank_method
import knowing_things
import pytest
from annotation_trees import coco, episodes, pairs, save, write

from frostbench.bench.cli import main
from frostbench.bench.store.reader import open_run


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """The ids of the samples of a run of a method that costs nothing, and what was shown."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(*words):
        out = tmp_path / "run"
        plain = ["methods=blank", "controls=false", "quiet=true", "limit=2", f"out={out}"]
        assert main(["run", f"plugins={blank_method.__file__}", *plain, *words]) == 0
        stored = open_run(out)
        assert stored.manifest.failures == ()
        return stored.records()

    return run


def test_imagenet_is_restored_and_classified(tmp_path, asked):
    data = tmp_path / "imagenet"
    lines = []
    for number in range(9):
        name = f"val/ILSVRC2012_val_{9 - number:08d}.JPEG"
        save(data / name, number)
        lines.append(f"{name},{number % 3}\n")
    (data / "class_labels.txt").write_text("".join(lines))
    found = asked(
        f"data.imagenet_val.folder={data}",
        "data.imagenet_val.side=32",
        "data.imagenet_val.first=8",
        "tasks=reconstruction,few_shot_classification",
        "task.reconstruction.metrics=['ssim[rgb]']",
        "task.few_shot_classification.ways=[2]",
        "task.few_shot_classification.shots=[1]",
    )
    assert {record.task for record in found} == {"reconstruction", "few_shot_classification"}
    assert all(record.scores for record in found)
    assert [one.cluster for one in found if one.task == "reconstruction"] == [
        "val/ILSVRC2012_val_00000009.JPEG",
        "val/ILSVRC2012_val_00000008.JPEG",
    ]


@pytest.mark.parametrize(
    ("name", "task", "ids"),
    [
        ("coco_captions_val2014", "captioning", ["5", "4"]),
        ("coco_captions_val2017", "captioning", ["5", "4"]),
        ("coco_karpathy_val", "captioning", ["5", "4"]),
        ("coco_karpathy_test", "captioning", ["5", "4"]),
        ("vqav2_val", "visual_question_answering", ["50", "40"]),
    ],
)
def test_coco_is_described_and_asked_about(tmp_path, asked, name, task, ids):
    folder = coco(tmp_path / "coco")
    found = asked(f"data.{name}={folder}", f"tasks={task}", f"task.{task}.examples=2")
    assert [record.sample for record in found] == ids
    assert all(record.scores and record.protocol == "random" for record in found)


def things(folder):
    """Boxes and masks of three images, one of them without any, in COCO's layout."""
    images = [
        {"id": n, "file_name": f"{n:012d}.jpg", "height": 30, "width": 40} for n in (30, 7, 8)
    ]
    for one in images:
        save(folder / "val2017" / one["file_name"], one["id"])
    categories = [{"id": n, "name": name} for n, name in ((90, "toothbrush"), (18, "dog"))]
    annotations = [
        {
            "id": number + 1,
            "image_id": image,
            "category_id": category,
            "iscrowd": 0,
            "bbox": [5, 5, 10, 20],
            "area": 200,
            "segmentation": [[5, 5, 15, 5, 15, 25, 5, 25]],
        }
        for number, (image, category) in enumerate(((7, 18), (7, 90), (30, 18)))
    ]
    content = {"images": images, "categories": categories, "annotations": annotations}
    write(folder / "annotations" / "instances_val2017.json", content)
    return folder


def test_cocos_things_are_detected_and_segmented(tmp_path, asked, capsys):
    folder = things(tmp_path / "coco")
    found = asked(
        f"plugins=[{blank_method.__file__},{knowing_things.__file__}]",
        "methods=knowing_things",
        f"data.coco=coco_instances_val2017:{folder}",
        "tasks=object_detection,instance_segmentation",
        "task.object_detection.protocols=[all_classes]",
        "limit=3",
    )
    names = [one.sample for one in found if one.task == "object_detection"]
    assert names == [f"object_detection-{n:012d}" for n in (30, 7, 8)]
    shown = {one.sample[-3:]: one.matches for one in found if one.task == "object_detection"}
    metric = "ap[coco-boxes-own_score]"
    true = {n: {m.name: m.things for m in several[metric]} for n, several in shown.items()}
    assert true["007"]["dog"] == true["007"]["toothbrush"] == 1
    assert sum(true["008"].values()) == 0
    assert {one.protocol for one in found if one.task == "instance_segmentation"} == {
        "all_classes",
        "some_classes",
    }
    assert main(["data", "coco_instances_val2017", str(folder)]) == 0
    told = capsys.readouterr().out
    assert "images with boxes: 3, of 2 classes" in told
    assert "val2017/000000000007.jpg (40 x 30): 1 dog, 1 toothbrush" in told
    assert "val2017/000000000008.jpg (40 x 30): nothing" in told


def test_pairs_are_restored_as_they_are(tmp_path, asked, capsys):
    pairs(tmp_path / "Rain100L", 4)
    found = asked(
        f"data.rain=pairs:{tmp_path / 'Rain100L'}",
        "tasks=deraining",
        "task.deraining.others=1",
        "task.deraining.metrics=['psnr[y]']",
    )
    assert [record.sample for record in found] == ["deraining-0", "deraining-1"]
    assert {record.protocol for record in found} == {"given"}
    assert all(record.scores for record in found)
    assert main(["data", "pairs", str(tmp_path / "Rain100L")]) == 0
    told = capsys.readouterr().out
    assert "pairs: 4\n  input/0.png (40 x 30) of target/0.png" in told


def test_v2ls_episodes_are_asked_in_their_order(tmp_path, asked):
    episodes(tmp_path / "v2l", shots=1)
    found = asked(
        f"data.v2l_episodes={tmp_path / 'v2l'}",
        "tasks=few_shot_classification",
        "task.few_shot_classification.ways=[2]",
        "task.few_shot_classification.shots=[1]",
        "task.few_shot_classification.shots_without_induction=[]",
    )
    assert [record.sample for record in found] == ["2_way_1_shot-00001", "2_way_1_shot-00002"]
    # Options are sorted, and the method always answers the first: goldfish.
    assert [next(iter(record.scores.values())) for record in found] == [0, 1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("data.vqav2_val={}", "tasks=visual_question_answering"), "test-dev and test have no"),
        (("data.coco_karpathy_test={}", "tasks=captioning"), "lacks dataset_coco.json or"),
        (("data.imagenet_val={}", "tasks=shift"), "lacks class_labels.txt, and"),
        (("data.a=pairs:{}", "tasks=deraining"), "0.png in input without one of the same name"),
        (("data.images={}", "tasks=deraining", "task.deraining.protocols=[given]"), "needs pairs"),
        (("data.a=pairs:{}/good", "tasks=inpainting"), "none of the chosen tasks reads data.a"),
        (("data.images.folder={}", "data.images.side=0", "tasks=shift"), "shift cannot be asked"),
    ],
)
def test_what_cannot_be_read_or_asked_is_refused_before_the_run(tmp_path, capsys, words, said):
    for name in ("input/0", "target/1", "good/input/0", "good/target/0"):
        save(tmp_path / "data" / f"{name}.png")
    (tmp_path / "data" / "val").mkdir()
    words = [word.format(tmp_path / "data") for word in words]
    plain = ["run", f"plugins={blank_method.__file__}", "methods=blank", "limit=1"]
    assert main([*plain, f"out={tmp_path / 'run'}", *words]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
