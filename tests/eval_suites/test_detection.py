import inspect
import json
from collections import Counter
from itertools import islice

import pytest
import torch
from boards import all_pages
from hypothesis import given, settings
from hypothesis import strategies as st
from knowing_things import KnowingThings

from frostbench.bench.cli import main
from frostbench.bench.store.reader import open_run
from frostbench.bench.store.values import load_prediction
from frostbench.eval_suites.controls import classes, words
from frostbench.eval_suites.controls.changes import shuffled_classes, shuffled_words
from frostbench.eval_suites.detection.locating import VisualGrounding
from frostbench.eval_suites.detection.scenes import BoxedScenes
from frostbench.eval_suites.detection.settings import (
    DetectionSettings,
    LocatingSettings,
    OpenVocabularySettings,
)
from frostbench.eval_suites.detection.things import (
    InstanceSegmentation,
    ObjectDetection,
    OpenVocabularyDetection,
)
from frostbench.packs.mini.scenes.datasets import GlyphScenes, KnownGlyphScenes
from frostbench.plugins import Boxes, Company, Detect, Image, Instances, Locate
from frostbench.plugins.contract.boxes import box_of
from frostbench.plugins.contract.validity import check_prediction
from frostbench.plugins.host.packs import embedded_pack
from frostbench.plugins.kit.pytest import conformance_tests

DATA = embedded_pack("mini") / "data"
KNOWN, NOVEL = KnownGlyphScenes(DATA), GlyphScenes(DATA)
TASKS = {
    "object_detection": (ObjectDetection, DetectionSettings(), KNOWN),
    "instance_segmentation": (InstanceSegmentation, DetectionSettings(), KNOWN),
    "open_vocabulary_detection": (OpenVocabularyDetection, OpenVocabularySettings(), NOVEL),
    "visual_grounding": (VisualGrounding, LocatingSettings(), KNOWN),
}


@pytest.fixture(scope="module")
def asked():
    return {
        name: list(kind(chosen).instances(data, 12, 0))
        for name, (kind, chosen, data) in TASKS.items()
    }


@pytest.mark.parametrize("name", TASKS)
def test_a_longer_run_contains_a_shorter_one(asked, name):
    kind, chosen, data = TASKS[name]
    for one in kind(chosen).instances(data, 3, 0):
        (same,) = (
            x for x in asked[name] if (x.request.id, x.protocol) == (one.request.id, one.protocol)
        )
        assert same.request == one.request
    other = next(iter(kind(chosen).instances(data, 1, 1)))
    assert other.request.image != asked[name][0].request.image


@pytest.mark.parametrize("name", list(TASKS)[:3])
def test_things_are_where_the_target_says_and_of_named_classes_or_unasked(asked, name):
    for one in asked[name]:
        target = one.target
        assert {thing.name for thing in target.things} <= set(one.request.classes)
        assert not {thing.name for thing in target.unasked} & set(one.request.classes)
        for thing in (*target.things, *target.unasked):
            assert thing.box == box_of(thing.mask)
            assert thing.area == float(thing.mask.sum())
        assert len(target.things) + len(target.unasked) == 1 + int(one.request.id[-5:]) % 4
    assert any(one.target.unasked for one in asked[name])


def test_one_prompt_names_the_classes_for_all_images_and_protocols_show_the_same(asked):
    for name in ("object_detection", "instance_segmentation"):
        named = {
            p: {x.request.classes for x in asked[name] if x.protocol == p}
            for p in ("all_classes", "some_classes")
        }
        ((every,), (some,)) = named.values()
        assert (len(every), len(some)) == (10, 5)
        assert set(some) < set(every)
        assert list(some) == [x for x in every if x in some]
        by_protocol = [[x.request.image for x in asked[name] if x.protocol == p] for p in named]
        assert by_protocol[0] == by_protocol[1]


def test_classes_of_detection_were_trained_on_and_those_of_the_open_vocabulary_were_not(asked):
    glyphs = KNOWN.scenes.glyphs
    for name, split in (("object_detection", "base"), ("open_vocabulary_detection", "novel")):
        shown = {t.name for x in asked[name] for t in (*x.target.things, *x.target.unasked)}
        shown |= set(asked[name][0].request.classes)
        assert {glyphs.get(one).split for one in shown} == {split}
    assert {one.protocol for one in asked["open_vocabulary_detection"]} == {"all_classes"}


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**20),
    count=st.integers(1, 20),
    outside=st.sampled_from([0.0, 0.5, 1.0]),
    things=st.integers(1, 4),
)
def test_scenes_show_as_many_things_as_asked_and_no_two_alike_classes(seed, count, outside, things):
    chosen = DetectionSettings(classes=count, outside=outside, things=things)
    scenes = BoxedScenes(NOVEL, chosen, seed)
    assert len({NOVEL.family(name) for name in scenes.classes}) == count
    for index in range(2):
        image = scenes[index]
        assert len(image.things) == 1 + index % things
        assert image.image == BoxedScenes(NOVEL, chosen, seed)[index].image
        inside = [one.name in scenes.classes for one in image.things]
        assert outside != 0 or all(inside)
        assert outside != 1 or not any(inside)
        families = {NOVEL.family(one) for one in scenes.classes}
        for one, known in zip(image.things, inside, strict=True):
            assert known or NOVEL.family(one.name) not in families


def test_more_classes_than_there_are_families_are_refused():
    families = len({NOVEL.family(name) for name in NOVEL.names})
    with pytest.raises(ValueError, match=f"{families + 1} classes .* has {families} families"):
        BoxedScenes(NOVEL, DetectionSettings(classes=families + 1), 0)
    one = ObjectDetection(DetectionSettings(classes=1))
    with pytest.raises(ValueError, match="leaves classes unnamed, and the data set has 1"):
        list(one.instances(NOVEL, 1, 0))


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"protocols": ()}, "protocols"),
        ({"protocols": ("every",)}, "every"),
        ({"named": 1.0}, "between 0 and 1"),
        ({"classes": 0}, "1 class or more"),
        ({"outside": 2.0}, "chance in"),
        ({"things": 5}, "1 to 4 things"),
        ({"sizes": ("tiny",)}, "tiny"),
    ],
)
def test_settings_that_fit_nothing_are_refused(change, wrong):
    with pytest.raises(ValueError, match=wrong):
        DetectionSettings(**change)


def test_every_sentence_asks_for_one_box(asked):
    for one in asked["visual_grounding"]:
        assert len(one.request.phrases) == len(one.target.boxes) == 1
        assert one.protocol is None
    sentences = Counter(one.cluster for one in asked["visual_grounding"])
    assert max(sentences.values()) > 1
    with pytest.raises(ValueError, match="2 to 4 glyphs"):
        LocatingSettings(glyphs=1)


# Controls


@pytest.mark.parametrize("name", TASKS)
def test_what_the_task_predicts_itself_answers_its_requests(asked, name):
    kind, chosen, _ = TASKS[name]
    made = kind(chosen).controls(asked[name])
    for predictions in made.values():
        for prediction, one in zip(predictions, asked[name], strict=True):
            check_prediction(prediction, one.request)
    assert set(made) <= set(kind(chosen).card.controls)
    assert made.keys() == kind(chosen).controls(asked[name][:1]).keys()


def test_true_things_come_once_with_classes_that_are_drawn(asked):
    instances = asked["instance_segmentation"]
    made = InstanceSegmentation(DetectionSettings()).controls(instances)
    drawn = Counter()
    for said, one in zip(made["oracle_boxes_random_classes"], instances, strict=True):
        assert [box_of(mask) for mask in said.masks] == [t.box for t in one.target.things]
        drawn += Counter(
            said_class == thing.name
            for said_class, thing in zip(said.classes, one.target.things, strict=True)
        )
    assert drawn[False] > 3 * drawn[True]


REQUEST = Detect("d", Image(torch.zeros(3, 8, 8)), ("cat", "dog", "owl", "bee"), 3)
FOUND = Boxes(torch.rand(3, 4), ("dog", "bee", "dog"), torch.rand(3))


@given(seed=st.integers(0, 2**40))
def test_words_are_exchanged_and_boxes_stay(seed):
    other = classes.reordered(REQUEST, seed)
    assert sorted(other.classes) == sorted(REQUEST.classes)
    assert all(a != b for a, b in zip(other.classes, REQUEST.classes, strict=True))
    said = classes.exchanged(FOUND, REQUEST, seed)
    assert said.boxes is FOUND.boxes
    assert said.scores is FOUND.scores
    for before, after in zip(FOUND.classes, said.classes, strict=True):
        assert before != after
        # Who answers by place loses nothing.
        place = REQUEST.classes.index(after)
        assert other.classes[place] == before


def test_what_has_no_words_to_exchange_says_so():
    with pytest.raises(ValueError, match="no other class"):
        classes.reordered(Detect("d", REQUEST.image, ("cat",)), 0)
    with pytest.raises(ValueError, match="a Locate request and names no classes"):
        classes.reordered(Locate("l", REQUEST.image, ("cat",)), 0)


def test_boxes_of_other_phrases_come_back_under_their_own(asked):
    one = asked["visual_grounding"][0]
    company = Company(("the owl", "the bee"), 5)
    other = shuffled_words.ask(one, company)
    assert other.phrases[0] in company.phrases
    said = Boxes(torch.zeros(1, 4), other.phrases, torch.ones(1))
    assert words.in_own_words(said, one.request).classes == one.request.phrases
    masks = Instances(torch.zeros(0, 8, 8).bool(), (), torch.ones(0))
    assert words.in_own_words(masks, one.request) is masks
    assert shuffled_classes.answer is not None


# A run, from the command line to the gallery


test_the_knowing_method_keeps_the_contract = conformance_tests(KnowingThings)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("detection")
    done = [
        f"plugins={inspect.getfile(KnowingThings)}",
        "methods=knowing_things",
        "tasks=object_detection,instance_segmentation,visual_grounding",
        "limits.object_detection=64",
        "limits.instance_segmentation=6",
        "limits.visual_grounding=6",
        "quiet=true",
        f"cache={folder / 'cache'}",
        f"out={folder / 'run'}",
    ]
    assert main(["run", *done]) == 0
    return folder / "run"


@pytest.fixture(scope="module")
def board(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("board")
    assert main(["leaderboard", str(run), f"out={folder}"]) == 0
    return folder


def test_nothing_fails_and_every_control_has_its_row(run):
    records = open_run(run).records()
    assert {record.status for record in records} == {"scored"}
    rows = {(r.method, r.control) for r in records if r.task == "object_detection"}
    assert rows == {
        ("knowing_things", None),
        *(("knowing_things", name) for name in ("shuffled_classes", "other_image")),
        *(("knowing_things", name) for name in ("no_llm", "every_query")),
        (None, "whole_image"),
        (None, "oracle_boxes_random_classes"),
    }


def test_a_finished_run_is_scored_again_without_a_model_and_verified(run, capsys):
    before = {r.key: r.values for r in open_run(run).records()}
    assert any(r.matches for r in open_run(run).records())
    assert main(["score", str(run)]) == 0
    assert {r.key: r.values for r in open_run(run).records()} == before
    capsys.readouterr()
    own = [f"plugins={file}" for file in open_run(run).manifest.config["plugins"]]
    assert main(["verify", str(run), "samples=4", *own]) == 0, capsys.readouterr().out


def test_what_knows_the_scenes_beats_what_knows_no_words(board):
    found = json.loads((board / "leaderboard.json").read_text())
    rows = {
        (r["task"], r["protocol"], r["method"]): r
        for r in found["rows"]
        if r["metric"].startswith("ap50[coco-")
    }
    for protocol in ("all_classes", "some_classes"):
        mine = rows["object_detection", protocol, "knowing_things"]
        for control in ("whole_image", "shuffled_classes[knowing_things]"):
            assert mine["low"] > rows["object_detection", protocol, control]["value"]
    outcomes = {(v["task"], v["protocol"], v["control"]): v["outcome"] for v in found["verdicts"]}
    for control in ("shuffled_classes", "whole_image", "no_llm", "other_image"):
        assert outcomes["object_detection", "all_classes", control] == "beats"
    claimed = {
        (r["protocol"], r["method"]): r["value"]
        for r in found["rows"]
        if r["metric"] == "claimed[unasked-iou0.5-score0.3]" and r["task"] == "object_detection"
    }
    for protocol in ("all_classes", "some_classes"):
        assert claimed[protocol, "knowing_things"] < 0.1
        assert claimed[protocol, "every_query[knowing_things]"] > 0.8


def test_the_gallery_draws_boxes_and_contours_with_classes_and_scores(run, board):
    page = all_pages(board)
    record = next(
        r
        for r in open_run(run).records()
        if r.task == "object_detection" and r.row == ("knowing_things", None) and r.asked
    )
    found = load_prediction(record.prediction, open_run(run).blobs)
    for name, score in zip(found.classes, found.scores.tolist(), strict=True):
        assert f">{name} {score:.2f}</text>" in page
    named = [record.asked[start:end] for start, end in record.phrases]
    assert ", ".join(named) == record.asked
    for number, name in enumerate(named):
        assert f'<mark style="--m:var(--m{number})">{name}</mark>' in page
    assert '<path class="seen tint"' in page  # contours of masks
    assert '<path class="true"' in page  # what was not asked for


def test_first_samples_are_those_of_the_first_scenes(asked):
    ids = [one.request.id for one in islice(asked["object_detection"], 2)]
    assert ids == ["object_detection-00000", "object_detection-00001"]
