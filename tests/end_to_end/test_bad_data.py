"""Data sets of every protocol that are wrong: what is broken is told, and all else is done."""

import json

import annotation_trees as trees
import bad_inputs
import knowing_things
import pytest
from bad_inputs import BLANK, Bad
from pictures import picture

ONE = "task.{}.protocols=[{}]"
RUN = f"run {BLANK} limit=4"
BESIDE = "data.images=photos"  # of another task, which has to be done all the same
CAPTIONS = f"{RUN} {BESIDE} data.captions=own tasks=captioning,reconstruction"
CAPTIONS += " limit=2 task.captioning.examples=1"
QUESTIONS = f"{RUN} {BESIDE} data.questions=own tasks=visual_question_answering,reconstruction"
QUESTIONS += " limit=2 task.visual_question_answering.examples=2"
LABELS = f"{RUN} {BESIDE} data.labels=own tasks=few_shot_classification,reconstruction"
LABELS += " task.few_shot_classification.ways=2 task.few_shot_classification.shots=1"
POPE = f"{RUN} {BESIDE} data.pope_coco=own tasks=object_hallucination,reconstruction limit=2"
IMAGES = f"{RUN} {BESIDE} tasks=reconstruction"
BOXES = f"run {BLANK} limit=4 plugins={knowing_things.__file__} methods=knowing_things"
BOXES += " data.boxes=own tasks=object_detection task.object_detection.protocols=[all_classes]"
LINE = '{"file": "a.png", "question": "What?", "answers": ["x"]}\n'


def photos(folder, names="abcd", place="own"):
    """Images of a user."""
    for above in (place, "photos"):
        (folder / above).mkdir(parents=True, exist_ok=True)
        for seed, name in enumerate(names):
            picture(16, 16, seed=seed).save(folder / above / f"{name}.png")


def own(words, name, content, *says, code=1, lines=1, done=("reconstruction",)) -> Bad:
    """Images of a user with a file beside them."""
    kind = ("captioning", "visual_question_answering", "few_shot_classification")
    known = {"captions.csv": kind[0], "captions.json": kind[0], "questions.jsonl": kind[1]}
    some = (known.get(name, kind[2]),) if done == "all" else ()
    done = ("reconstruction", *some) if done == "all" else done
    files = {f"own/{name}": content}
    return Bad(words, says, code, files, photos, lines, () if code == 2 else done)


def changed(tree, change):
    """A published data set with a change."""

    def make(folder):
        photos(folder)
        place = folder / "set"
        tree(place)
        change(place)

    return make


ROWS = "a.png,a cat\nb.png,a dog\nc.png,a bird\n"
REFUSED = [
    own(CAPTIONS, "captions.txt", ROWS, "captions.csv or captions.json", code=2),
    own(CAPTIONS, "captions.csv", "", "captions.csv", code=2),
    own(CAPTIONS, "captions.csv", "file,caption\n", "captions.csv has no entries", code=2),
    own(CAPTIONS, "captions.csv", ROWS, "captions.csv has no column", code=2),
    own(CAPTIONS, "captions.csv", "file,caption\na.png\n", "line 2", "cells", code=2),
    own(CAPTIONS, "captions.csv", "file,caption\na.png,x,y\n", "line 2", "cells", code=2),
    own(CAPTIONS, "captions.csv", "file,caption\na.png,\n", "line 2 has no caption", code=2),
    own(CAPTIONS, "captions.csv", b"file,caption\na.png,caf\xe9\n", "line 2", "0xe9", code=2),
    own(CAPTIONS, "captions.csv", "file,caption\n/etc/passwd,x\n", "line 2", "leads out", code=2),
    own(CAPTIONS, "captions.csv", "file,caption\n../a.png,x\n", "line 2", "leads out", code=2),
    own(
        CAPTIONS,
        "captions.csv",
        "file,caption\nz.png,x\n",
        "'z.png'",
        "no image that is there",
        code=2,
    ),
    own(CAPTIONS, "captions.csv", "file,caption\na.png," + "x" * 200_000, "captions.csv", code=2),
    own(CAPTIONS, "captions.json", "", "captions.json is no JSON: it is empty", code=2),
    own(CAPTIONS, "captions.json", '{"a.png": "x",\n"b.png" "y"}', "line 2", code=2),
    own(CAPTIONS, "captions.json", '["a.png"]', "captions.json is no object", code=2),
    own(CAPTIONS, "captions.json", '{"a.png": 3}', "'a.png'", code=2),
    own(CAPTIONS, "captions.json", '{"a.png": []}', "captions.json has no entries", code=2),
    own(CAPTIONS, "captions.json", "[" * 100_000, "captions.json", "too deep", code=2),
    own(QUESTIONS, "questions.json", LINE, "lacks questions.jsonl", code=2),
    own(QUESTIONS, "questions.jsonl", "", "questions.jsonl has no entries", code=2),
    own(QUESTIONS, "questions.jsonl", LINE + "{\n", "line 2", code=2),
    own(QUESTIONS, "questions.jsonl", LINE + "3\n", "line 2", "a whole number", code=2),
    own(QUESTIONS, "questions.jsonl", LINE + '{"file": "a.png"}', "line 2", "'answers'", code=2),
    own(QUESTIONS, "questions.jsonl", LINE.replace('["x"]', "[]"), "line 1", code=2),
    own(QUESTIONS, "questions.jsonl", LINE.replace('["x"]', "[3]"), "line 1", "answer", code=2),
    own(QUESTIONS, "questions.jsonl", LINE.replace("What?", " "), "line 1", "question", code=2),
    own(LABELS, "labels.tsv", "file\tlabel\n", "lacks labels.csv", code=2),
    own(LABELS, "labels.csv", "file,label\na.png,x\na.png,y\n", "line 3", "a.png", code=2),
    own(LABELS, "labels.csv", "file,label\na.png,x\nb.png,x\n", "few_shot", code=2),
    own(BOXES, "boxes.csv", "file,class\na.png,x\n", "left", code=2),
    own(BOXES, "boxes.csv", "file,class,left,top,right,bottom\na.png,x,1,2,z,4\n", "z", code=2),
    own(BOXES, "boxes.csv", "file,class,left,top,right,bottom\na.png,,,,,\n", "no box", code=2),
    Bad(
        f"{RUN} data.images=own tasks=reconstruction",
        ("own holds no image",),
        make=lambda f: (f / "own").mkdir(),
    ),
    Bad(f"{RUN} data.images=own tasks=reconstruction", ("own",), files={"own": "a file"}),
    Bad(f"{RUN} data.images=/proc tasks=reconstruction", ("/proc",)),
    Bad(f"{RUN} data.images=own data.images.side=3 tasks=reconstruction", ("own",), make=photos),
    Bad(f"{RUN} data.images=own tasks=captioning", ("data.images",), make=photos),
    Bad(
        f"{RUN} data.a=images:own data.b=images:own tasks=reconstruction", ("a and b",), make=photos
    ),
    Bad(f"{RUN} data.pairs=own tasks=denoising", ("own lacks input, target",), make=photos),
    Bad(f"{RUN} data.pope_coco=own tasks=object_hallucination", ("coco_pope",), make=photos),
    Bad(f"{RUN} data.imagenet_val=own tasks=reconstruction", ("own",), make=photos),
    Bad(f"{RUN} data.refcoco_unc_val=own tasks=referring_segmentation", ("own",), make=photos),
    Bad(f"{RUN} data.png_val2017=own tasks=narrative_grounding", ("own",), make=photos),
    Bad(f"{RUN} data.viscot=own tasks=visual_question_answering", ("viscot",), make=photos),
    Bad(f"{RUN} data.vqav2_val=own tasks=visual_question_answering", ("own",), make=photos),
    Bad(f"{RUN} data.v2l_episodes=own tasks=few_shot_classification", ("own",), make=photos),
    Bad(f"{RUN} data.coco_captions_val2014=own tasks=captioning", ("own",), make=photos),
    Bad("data captions own", ("own lacks captions.csv",), make=photos),
    Bad("data images own/a.png", ("own/a.png",), make=photos),
    Bad("data pope_coco own", ("coco_pope_random.json",), make=photos),
]


def spoilt(name, content):
    """A user's images, of which one holds something else; None takes it away."""

    def make(folder):
        photos(folder)
        (folder / "photos" / name).unlink()
        if content is not None:
            (folder / "photos" / name).write_bytes(content)

    return make


def dropped(tree, name, content):
    """A published set of which a file holds something else."""
    return changed(tree, lambda place: (place / name).write_bytes(content))


ASKED = b'{"question_id": 2, "image": "COCO_val2014_000000000009.jpg", "text": "A?", "label": "no"}'
PART = [
    own(CAPTIONS, "captions.csv", f"file,caption\nz.png,x\n{ROWS}", "z.png", done="all"),
    own(
        CAPTIONS,
        "captions.json",
        json.dumps(dict.fromkeys(["a.png", "b.png", "c.png", "z.png"], "x")),
        "z.png",
        done="all",
    ),
    own(
        QUESTIONS,
        "questions.jsonl",
        "".join(LINE.replace("a.png", f"{name}.png") for name in "zabcd"),
        "z.png",
        done="all",
    ),
    own(
        LABELS,
        "labels.csv",
        "file,label\nz.png,x\na.png,x\nb.png,x\nc.png,y\nd.png,y\n",
        "labels.csv: 1 left out",
        "line 2 (z.png)",
        done="all",
    ),
    Bad(
        IMAGES, ("a.png", "no image"), 1, {}, spoilt("a.png", b"no image"), done=("reconstruction",)
    ),
    Bad(IMAGES, ("a.png",), 1, {}, spoilt("a.png", b""), done=("reconstruction",)),
    Bad(
        POPE.replace("own", "set"),
        ("coco_pope_popular.json has no entries",),
        1,
        {},
        dropped(trees.pope, "coco_pope_popular.json", b""),
        done=("object_hallucination", "reconstruction"),
    ),
    Bad(
        POPE.replace("own", "set"),
        ("coco_pope_popular.json, line 1",),
        1,
        {},
        dropped(trees.pope, "coco_pope_popular.json", b"{\n" + ASKED),
        done=("object_hallucination", "reconstruction"),
    ),
]


@pytest.mark.parametrize("bad", [*REFUSED, *PART], ids=str)
def test_wrong_data_are_told_in_one_sentence(bad, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    bad_inputs.ended(bad, tmp_path, capsys)
