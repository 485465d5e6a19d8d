"""A user's own images through the command line, by configuration alone."""

import csv
import json
import shutil

import knowing_things
import numpy as np
import pytest
from PIL import Image as Pillow

from frostbench.bench.cli import main
from frostbench.bench.store.reader import open_run

FORMATS = ("png", "jpg", "webp", "tif", "bmp")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Twelve images of different sizes and formats, with captions, questions and labels."""
    folder = tmp_path_factory.mktemp("own") / "photos"
    folder.mkdir()
    draw = np.random.default_rng(0)
    names = []
    for number in range(12):
        size = (*draw.integers(40, 90, 2), 3)
        name = f"IMG{number}.{FORMATS[number % 5]}"
        Pillow.fromarray(draw.integers(0, 256, size, np.uint8)).save(folder / name)
        names.append(name)
    for file, column in (("captions", "caption"), ("labels", "label")):
        with (folder / f"{file}.csv").open("w", newline="") as lines:
            rows = csv.writer(lines)
            rows.writerow(["file", column])
            rows.writerows((name, f"kind {number % 2}") for number, name in enumerate(names))
    (folder / "questions.jsonl").write_text(
        "".join(
            json.dumps({"file": name, "question": "What is it?", "answers": ["noise"]}) + "\n"
            for name in names
        )
    )
    return folder


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(*words):
        out = tmp_path / "run"
        return main(["run", "methods=vqgan", "controls=false", f"out={out}", *words]), out

    return run


def test_every_task_takes_what_it_can_use(photos, run):
    status, out = run(
        f"data.images={photos}",
        f"data.captions={photos}",
        f"data.questions={photos}",
        f"data.labels={photos}",
        "tasks=reconstruction,inpainting,captioning,visual_question_answering,"
        "few_shot_classification",
        "task.few_shot_classification.ways=[2]",
        "task.inpainting.protocols=[held_out_context]",
        "limit=2",
    )
    stored = open_run(out)
    assert (status, stored.manifest.failures) == (0, ())
    assert set(stored.manifest.data) == {"images", "captions", "questions", "labels"}
    origins = stored.manifest.origins["data set"]
    assert all(origins[name].code for name in stored.manifest.data)
    records = stored.records()
    assert {record.task for record in records} == set(stored.manifest.tasks)
    first = next(record for record in records if record.task == "captioning")
    assert (first.sample, first.protocol) == ("IMG0.png", "random")


def test_ones_own_boxes_are_detected_and_one_that_is_none_fails_its_image(photos, run, tmp_path):
    folder = tmp_path / "boxed"
    shutil.copytree(photos, folder)
    (folder / "boxes.csv").write_text(
        "file,class,left,top,right,bottom\nIMG1.jpg,noise,1,2,30,31.5\nIMG0.png,,,,,\n"
        "IMG2.webp,noise,5,5,900,20\nIMG3.tif,haze,0,0,9,9\n"
    )
    status, out = run(
        f"plugins={knowing_things.__file__}",
        "methods=knowing_things",
        f"data.boxes={folder}",
        "tasks=object_detection",
        "task.object_detection.protocols=[all_classes]",
        "limit=10",
    )
    assert status == 1  # a sample failed
    records = {record.sample: record for record in open_run(out).records()}
    assert {name: one.status for name, one in records.items()} == {
        "object_detection-IMG1.jpg": "scored",
        "object_detection-IMG0.png": "scored",
        "object_detection-00002": "failed",
        "object_detection-IMG3.tif": "scored",
    }
    assert "boxes.csv, line 4 has the box" in records["object_detection-00002"].error
    ap = records["object_detection-IMG1.jpg"].matches["ap_large[coco-boxes-own_score]"]
    assert {one.name for one in ap} <= {"haze", "noise"}


def test_a_set_that_ends_says_so(photos, run):
    status, out = run(f"data.images={photos}", "tasks=reconstruction", "limit=50")
    stored = open_run(out)
    assert status == 0
    assert len(stored.records()) == 12
    assert any("its data end with 12 samples" in note for note in stored.manifest.notes)


def test_the_same_files_elsewhere_are_the_same_data_and_others_are_not(
    photos, run, tmp_path, monkeypatch, capsys
):
    words = ("tasks=reconstruction", "limit=1")
    assert run(f"data.images={photos}", *words)[0] == 0
    moved = tmp_path / "moved"
    shutil.copytree(photos, moved)
    (tmp_path / "link").symlink_to(photos)
    monkeypatch.chdir(tmp_path)
    for place in (moved, "moved", "link", "images:moved"):
        assert run(f"data.images={place}", *words)[0] == 0
    assert run("data.images.folder=moved", "data.images.side=64", *words)[0] == 2
    (moved / "IMG11.jpg").write_bytes((moved / "IMG11.jpg").read_bytes() + b"\0")
    capsys.readouterr()
    assert run("data.images=moved", *words)[0] == 2
    assert "data.images was" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["data.images=nowhere"], "there is no folder 'nowhere'"),
        (["data.mine={photos}"], "Write data.mine=READER:FOLDER"),
        (["data.images={photos}", "tasks=captioning"], "none of the chosen tasks reads"),
        (["data.images={photos}", "data.b=images:{photos}"], "can use images and b; say which"),
        (
            ["data.a=captions:{photos}", "task.reconstruction.data=a"],
            "reconstruction asks for a ImageSet, and what captions reads is none",
        ),
        (["data.images.folder={photos}", "data.images.side=3"], "side is 8 pixels or more"),
        (["data.images.folder={photos}", "data.images.sides=3"], "no setting named 'sides'"),
        (["data.pope_coco={photos}", "tasks=object_hallucination"], "data.pope_coco: "),
        (
            ["data.labels={photos}", "tasks=few_shot_classification"],
            "few_shot_classification cannot be asked of data.labels: 5-way 1-shot episodes need 5",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_sentence(photos, run, capsys, words, said):
    words = [word.format(photos=photos) for word in words]
    if not any(word.startswith("tasks=") for word in words):
        words.append("tasks=reconstruction")
    assert run(*words)[0] == 2
    assert said in capsys.readouterr().err


def test_the_command_data_says_what_is_needed_and_what_is_there(photos, capsys):
    assert main(["data"]) == 0
    listed = capsys.readouterr().out
    assert "captions" in listed
    assert "partial(" not in listed
    assert main(["data", "questions"]) == 0
    assert "questions.jsonl" in capsys.readouterr().out
    for name, said in (
        ("images", "images: 12\n  IMG0.png (32 x 32)\n  IMG1.jpg (32 x 32)"),
        ("captions", "images with captions: 12\n  IMG0.png (32 x 32): kind 0"),
        ("questions", "questions: 12\n  IMG0.png (32 x 32): What is it? noise"),
        ("labels", "classes: 2\n  IMG0.png (32 x 32): kind 0, 6 images"),
    ):
        assert main(["data", name, str(photos), "side=32"]) == 0
        assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["images", "nowhere"], "nowhere is no folder of images"),
        (["pope_coco", "."], "lacks"),
        (["imagess", "."], "Did you mean 'images'?"),
        (["images", ".", "sides=3"], "no setting named 'sides'"),
        (["images", ".", "."], "name one data set and one folder"),
    ],
)
def test_what_the_command_data_cannot_read_is_one_sentence(words, said, capsys, tmp_path):
    assert main(["data", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_reader_that_fails_is_said_with_its_file(tmp_path, capsys, run):
    plugin = tmp_path / "faulty.py"
    plugin.write_text(
        "from frostbench.plugins import Offer, hookimpl\n\n"
        "def read(folder):\n    raise SystemExit(0)\n\n"
        "@hookimpl\ndef frostbench_datasets():\n    return [Offer('faulty', read)]\n"
    )
    words = (f"plugins={plugin}", f"data.faulty={tmp_path}", "tasks=reconstruction")
    assert run(*words)[0] == 2
    assert f"data set 'faulty' ({plugin}): " in capsys.readouterr().err


FEWER_EXAMPLES = (
    "task.inpainting.protocols=[held_out_context]",
    "task.inpainting.others=2",
    "task.captioning.examples=3",
)


def test_an_image_that_cannot_be_read_is_one_failed_sample_and_no_example(photos, run, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(photos, broken)
    for name in ("IMG1.jpg", "IMG11.jpg"):  # a query, and one of the last, which are examples
        (broken / name).write_bytes((broken / name).read_bytes()[:200])
    status, out = run(
        f"data.images={broken}",
        f"data.captions={broken}",
        "tasks=reconstruction,inpainting,captioning",
        *FEWER_EXAMPLES,
        "limit=2",
        "controls=true",
    )
    stored = open_run(out)
    failed = [record for record in stored.records() if record.status == "failed"]
    of_data = [one for one in failed if "cannot read the image" in one.error]
    assert status == 1
    assert {one.sample for one in of_data} >= {"reconstruction-00001", "inpainting-00001"}
    assert all(str(broken / "IMG1") in one.error for one in of_data)
    # It fails in every row alike, and the samples beside it are scored.
    rows = {(record.task, record.row) for record in stored.records()}
    read = [one.task for one in stored.records() if one.status == "scored"]
    for task in ("reconstruction", "inpainting", "captioning"):
        mine = {(one.task, one.row) for one in of_data if one.task == task}
        assert mine == {row for row in rows if row[0] == task}
        assert task in read
    assert main(["leaderboard", str(out), f"out={tmp_path / 'board'}"]) == 0
    assert main(["score", str(out)]) == 0
    assert main(["verify", str(out), "samples=3"]) == 0
    before = len(stored.records())
    assert main([*rerun(out)]) == 1
    assert len(open_run(out).records()) == before


def rerun(out):
    """The command that made a run, once more."""
    config = open_run(out).manifest.config
    words = [f"data.{name}={place}" for name, place in config["data"].items()]
    tasks = ",".join(config["tasks"])
    return [
        "run",
        "methods=vqgan",
        f"tasks={tasks}",
        f"limit={config['limit']}",
        *FEWER_EXAMPLES,
        f"out={out}",
        *words,
    ]
