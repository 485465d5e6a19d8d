"""What our models of lmms-eval are made of, as far as lmms-eval itself is not needed."""

import sys
from functools import partial
from types import SimpleNamespace

import lmms_files
import pytest
import torch
from PIL import Image as Pillow

from frostbench.bench.cli.config import RunConfig, UsageError, read_config
from frostbench.bench.lmms import version as versions
from frostbench.bench.lmms.asking import LmmsSample, Posed, request_of
from frostbench.bench.lmms.definition import UNANSWERED
from frostbench.bench.lmms.models.entry import class_name, manifests, method_of
from frostbench.bench.lmms.models.hosted import hosted, hosted_name, refusals
from frostbench.bench.lmms.models.settings import settings_of
from frostbench.bench.lmms.models.unscored import leave_unscored
from frostbench.bench.lmms.options import drawn, option_in, question_with
from frostbench.bench.lmms.suites.outputs import prediction_in, said_whole
from frostbench.bench.lmms.version import LmmsError, fitting
from frostbench.bench.store.blobs import Blobs
from frostbench.bench.store.values import as_stored, load_prediction, store_prediction
from frostbench.plugins import (
    Answer,
    Boxes,
    Detect,
    Image,
    ImagePrediction,
    Instances,
    Locate,
    Masks,
    Reason,
    Reasoned,
    Reconstruct,
    Segment,
    SegmentInstances,
    TaskCard,
    TextPrediction,
)

GREY = Pillow.new("RGB", (4, 4), (51, 51, 51))


def asked(visuals, task="vqa"):
    return LmmsSample(task, 7, " Is it grey? ", visuals)


def test_a_sample_of_one_image_is_a_question_about_its_very_pixels():
    request = request_of(asked([GREY]), 0)
    assert isinstance(request, Answer)
    assert request.question == "Is it grey?"
    assert torch.equal(request.image.pixels, torch.full((3, 4, 4), 0.2))
    assert type(request_of(asked([GREY], "nocaps_val"), 0)).__name__ == "Caption"


@pytest.mark.parametrize(
    ("visuals", "said"),
    [
        (None, "it has no image"),
        ([], "it has no image"),
        ([GREY, GREY], "it has 2 images"),
        (["/clips/a.mp4"], "a video or a file"),
        ([{"array": [0.0]}], "audio"),
        ([GREY, 3], "a int"),
    ],
)
def test_a_sample_of_anything_else_is_one_sentence(visuals, said):
    with pytest.raises(LmmsError, match=rf"^task 'vqa', sample 7: .*{said}[^.]*\.$"):
        request_of(asked(visuals), 0)


@pytest.mark.parametrize(
    ("answer", "place"),
    [("b", 1), ("(B)", 1), ("B. a dog", 1), (" A dog. ", 1), ("a", 0), ("d", None), ("", None)],
)
def test_an_option_is_named_by_its_letter_or_by_itself(answer, place):
    assert option_in(answer, ["a cat", "a dog", "a bird"]) == place


def test_two_equal_options_are_not_told_apart_and_a_draw_is_every_option():
    assert option_in("yes", ["yes", "Yes"]) is None
    assert {drawn("abc", seed) for seed in range(40)} == {0, 1, 2}
    assert question_with("A. yes B. no", ["yes", "no"]) == "A. yes B. no"
    assert question_with("Is it?", ["yes", "no"]).endswith("yes, no.")


def config(folder, *words):
    plugins = f"plugins={lmms_files.PLUGIN}"
    known = ["methods=bright", "controls=false", "quiet=true", plugins, f"out={folder / 'kept'}"]
    return read_config(RunConfig, [*known, f"cache={folder / 'tokens'}", "chunk=2", *words])


def posed(count, broken_at=None):
    """Samples of which one, when it is opened for the second time, breaks off the run."""
    opened = [0] * count

    def make(number):
        opened[number] += 1
        if number == broken_at and opened[number] > 1:
            raise OSError("the disk went away")
        image = Pillow.new("RGB", (4, 4), (number * 20,) * 3)
        return request_of(LmmsSample("vqa", number, f"Is it {number}?", [image]), 0)

    return [Posed(f"{number:06d}", None, partial(make, number)) for number in range(count)]


CARD = TaskCard("vqa", "lmms", "Answer", "text", (), "")


def test_a_run_that_was_ended_in_the_middle_asks_only_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("BRIGHT_ASKED", str(tmp_path / "asked"))
    begun = hosted(config(tmp_path), {"vqa": (CARD, posed(6, broken_at=5))})
    stored = {one.sample for one in begun.records()}
    assert len(stored) in (4, 5)
    before = (tmp_path / "asked").read_text().splitlines()
    run = hosted(config(tmp_path), {"vqa": (CARD, posed(6))})
    after = (tmp_path / "asked").read_text().splitlines()[len(before) :]
    asked = {line.split()[0].removeprefix("_mme-") for line in after}
    # A chunk of two is repeated whole.
    assert asked == {"000004", "000005"}
    said = {one.sample: one.prediction.text for one in run.records()}
    assert said["000005"] == "yes"
    assert said["000004"] == "no"
    assert {one.task for one in run.records()} == {hosted_name("vqa")}


def test_other_pixels_or_another_question_are_another_run(tmp_path):
    one = hosted(config(tmp_path), {"vqa": (CARD, posed(2))})
    again = hosted(config(tmp_path), {"vqa": (CARD, posed(2))})
    other = hosted(config(tmp_path), {"vqa": (CARD, posed(3))})
    assert one.folder == again.folder != other.folder


def test_a_method_is_refused_what_its_card_says_it_does_not_answer(tmp_path):
    masks = TaskCard("masks", "lmms", "Segment", "masks", (), "")
    assert refusals(config(tmp_path), [CARD, masks]) == {
        "masks": "does not answer Segment requests"
    }


def test_without_lmms_eval_the_entry_point_says_so_and_raises_nothing(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "lmms_eval", None)
    monkeypatch.setitem(sys.modules, "lmms_eval.models.registry_v2", None)
    assert manifests() == []
    assert "takes no models from outside" in capsys.readouterr().err


@pytest.mark.parametrize("method", ["v2l", "my-method", "a.b"])
def test_a_models_class_is_found_behind_the_last_dot(method):
    path = f"module.{class_name(method)}"
    assert method_of(path.rsplit(".", 1)[1]) == method
    assert method_of("AnyMethod") is None


def test_model_arguments_are_keys_of_a_run():
    given = {"pack": "mini", "seed": 3, "method.v2l.shots": 1, "quiet": True, "batch_size": "1"}
    settings = settings_of("v2l", {**given, "model_name": "mine"})
    assert settings.config.methods == ["v2l"]
    assert settings.config.seed == 3
    assert settings.config.quiet is True
    assert settings.config.method == {"v2l": {"shots": 1}}
    assert settings_of("", {"method": "bright", "shots": 2}).shots == 2


def test_of_several_processes_each_has_a_card_of_its_own(monkeypatch):
    assert settings_of("v2l", {"device": "cuda"}).config.device == "cuda"
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert settings_of("v2l", {"device": "cuda"}).config.device == "cuda:1"
    assert settings_of("v2l", {"device": "cpu"}).config.device == "cpu"


@pytest.mark.parametrize(
    ("method", "given", "said"),
    [
        ("", {}, "which method"),
        ("v2l", {"method": "flmm"}, "this model is 'v2l'"),
        ("v2l", {"limit": 3}, "lmms-eval's to say"),
        ("v2l", {"packs": "mini"}, "Did you mean 'pack'"),
        ("v2l", {"shots": -1}, "from 0 on"),
    ],
)
def test_an_argument_that_is_none_is_said(method, given, said):
    with pytest.raises(UsageError, match=said):
        settings_of(method, given)


def test_a_sample_without_an_answer_is_logged_with_its_sentence_and_not_scored():
    task = SimpleNamespace(process_results=lambda doc, results: {"right": float(results[0] == "a")})
    task.doc_to_visual = SimpleNamespace(__self__=task)
    without, answered = (
        SimpleNamespace(args=("", {}, task.doc_to_visual), filtered_resps={}) for _ in range(2)
    )
    leave_unscored(without, "it has no image.")
    leave_unscored(without, "it has no image.")
    for one in (without, answered):
        one.filtered_resps["none"] = "a"
    assert without.filtered_resps["none"] == f"{UNANSWERED}it has no image."
    assert task.process_results({}, [without.filtered_resps["none"]]) == {}
    assert task.process_results({}, [answered.filtered_resps["none"]]) == {"right": 1.0}


SIZE = (6, 5)
PICTURE = Image(torch.rand(3, *SIZE))
MASKS = torch.rand(2, *SIZE) > 0.5
BOX = torch.tensor([[0.1, 0.2, 3.3, 4.4]])


@pytest.mark.parametrize(
    ("request_", "prediction"),
    [
        (Answer("a", PICTURE, "?"), TextPrediction(" yes\n")),
        (Answer("a", PICTURE, "?"), TextPrediction('{"text": 1}')),
        (Answer("a", PICTURE, "?"), TextPrediction("<think>no</think>")),
        (Reconstruct("a", PICTURE), ImagePrediction(torch.rand(3, *SIZE))),
        (Segment("a", PICTURE, ("x", "y")), Masks(MASKS)),
        (Detect("a", PICTURE, ("x",)), Boxes(BOX, ("x",), torch.tensor([0.3]))),
        (Locate("a", PICTURE, ("x",)), Boxes(BOX, ("x",), torch.tensor([1 / 3]))),
        (
            SegmentInstances("a", PICTURE, ("x",)),
            Instances(MASKS[:1], ("x",), torch.tensor([0.5])),
        ),
        (Reason("a", PICTURE, "?"), Reasoned("red", (0.0, 1.0, 2.5, 3.0))),
    ],
    ids=lambda one: type(one).__name__,
)
def test_a_prediction_survives_the_text_that_lmms_eval_carries(request_, prediction, tmp_path):
    blobs = Blobs(tmp_path)
    stored = store_prediction(as_stored(prediction), blobs)
    # lmms-eval cuts blanks off before it scores.
    back = as_stored(prediction_in(said_whole(stored, blobs).strip(), request_))
    assert vars(store_prediction(back, blobs)) == vars(stored)
    assert type(load_prediction(stored, blobs)) is type(back)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (Segment("a", PICTURE, ("x",)), "yes"),
        (Segment("a", PICTURE, ("x",)), '{"masks": []}'),
        (Detect("a", PICTURE, ("x",)), '{"boxes": [[0, 0, 9]]}'),
        (Detect("a", PICTURE, ("x",)), '{"boxes": [[0, 0, 2, 2]], "classes": []}'),
        (Reconstruct("a", PICTURE), '{"images": ["/nowhere/a.png"]}'),
        (Reconstruct("a", PICTURE), "{no json}"),
    ],
)
def test_an_answer_that_is_none_of_what_is_asked_is_refused(request_, said):
    with pytest.raises((ValueError, TypeError)):
        prediction_in(said, request_)


def test_boxes_without_scores_are_read_as_a_model_that_is_none_of_ours_gives_them():
    found = prediction_in('Sure: {"boxes": [[0, 1, 2, 3]]}.', Locate("a", PICTURE, ("x",)))
    assert found.classes == ("x",)
    assert found.scores.tolist() == [1.0]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ("0.7.2", r"lmms-eval 0\.7\.2 is installed, and frostbench 0\.1\.0 works with lmms-eval"),
        ("0.8.0", r"from 0\.7\.3 and below 0\.8"),
        (None, r"pip install 'frostbench\[lmms\]'"),
    ],
)
def test_a_version_that_does_not_fit_is_named_beside_ours(found, said, monkeypatch):
    installed(monkeypatch, {"lmms-eval": found, "filelock": "3.0"})
    with pytest.raises(LmmsError, match=said):
        fitting()


def test_a_filelock_that_lmms_eval_cannot_work_with_is_named(monkeypatch):
    installed(monkeypatch, {"lmms-eval": "0.7.3", "filelock": "4.3.1"})
    with pytest.raises(LmmsError, match=r"filelock 4\.3\.1 .* lmms-eval 0\.7\.3"):
        fitting()
    installed(monkeypatch, {"lmms-eval": "0.7.4", "filelock": "4.3.1"})
    assert fitting() == "0.7.4"


def installed(monkeypatch, known):
    def version(name):
        if known.get(name, "0.1.0") is None:
            raise versions.PackageNotFoundError(name)
        return known.get(name, "0.1.0")

    monkeypatch.setattr(versions, "version", version)
