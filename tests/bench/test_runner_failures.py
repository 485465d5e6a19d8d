import errno
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from PIL import Image as Pillow
from runner_world import (
    ACCURACY,
    DISTANCE,
    Blocks,
    Fine,
    Hashing,
    Naming,
    OneBackbone,
    Ways,
    accuracy,
    by_id,
    mean_colours,
    method,
    picture,
    plain,
    plan_of,
)

from frostbench.bench.runner.plan import PlannedTask
from frostbench.bench.runner.run import run
from frostbench.bench.store import lines
from frostbench.bench.store.atomic import StoreFullError
from frostbench.plugins import Failed, Grid, Image, ImagePrediction, TextPrediction, VisualTokens
from frostbench.plugins.contract.images import read_image


class Guilty(Blocks):
    """Fails as told, for requests whose id is "1" or images that belong to them."""

    card = replace(Blocks.card, name="guilty")
    at: str = ""

    @property
    def fingerprint(self) -> str:
        return "9" * 64

    def tokenize(self, images, sizes):
        marked = [torch.equal(image, picture("query 0 1").pixels) for image in images]
        if self.at == "tokenize" and any(marked):
            raise RuntimeError("cannot look at this")
        tokens = super().tokenize(images, sizes)
        if self.at == "tokenize short":
            return VisualTokens({"local": Grid(tokens.grid("local")[1:])})
        return {} if self.at == "tokenize type" else tokens

    def prompt(self, request, tokens):
        if request.id == "1":
            if self.at == "prompt":
                raise KeyError("no such word")
            if self.at == "no generator":
                return ["hello"]
            if self.at == "no prompts":
                return iter_of(["hello"])
            if self.at == "no list":
                return iter_of(None)
        return super().prompt(request, tokens)

    def decode(self, requests, outcomes):
        predictions = super().decode(requests, outcomes)
        if self.at == "count":
            return predictions[1:]
        if self.at == "none":
            return None
        for index, request in enumerate(requests):
            if request.id == "1":
                predictions[index] = self.spoiled(predictions[index])
        return predictions

    def spoiled(self, prediction):
        pixels = getattr(prediction, "pixels", torch.zeros(3, 8, 8))
        match self.at:
            case "decode":
                raise ValueError("nothing to draw")
            case "nan":
                return ImagePrediction(pixels.clone().fill_(float("nan")))
            case "shape":
                return ImagePrediction(pixels[:, 1:])
            case "range":
                return ImagePrediction(pixels + 1)
            case "type":
                return "a word"
            case "kind":
                return TextPrediction("red")
        return prediction


def iter_of(wave):
    yield wave
    return "red"


def guilty(at: str, kind: type[Guilty] = Guilty) -> Any:
    def build() -> Guilty:
        made = kind()
        made.at = at
        return made

    return method(kind, build)


@pytest.fixture
def paths(tmp_path):
    return tmp_path / "run", tmp_path / "tokens"


def only_naming(plan, limit: int = 4):
    return replace(plan, tasks=(PlannedTask(Naming(Ways()), lambda: picture, limit),))


NAMING = {
    "tokenize": "tokenize, task 'naming', sample '1': image 'query 0 1': RuntimeError: cannot",
    "prompt": "prompt, task 'naming', sample '1': KeyError: 'no such word'",
    "no generator": "TypeError: prompt returned a list, not a generator",
    "no prompts": "TypeError: prompt yielded a list, not a list of Prompt",
    "no list": "TypeError: prompt yielded None, not a list of Prompt",
    "decode": "decode, task 'naming', sample '1': ValueError: nothing to draw",
    "type": "TypeError: decode returned a str where TextPrediction was asked for",
}
MENDING = {
    "nan": "ValueError: the predicted image has NaN or infinity in 192 values",
    "shape": "the predicted image has shape [3, 7, 8], and [3, 8, 8] was asked for",
    "range": "ValueError: the predicted image has values from ",
    "kind": "decode returned a TextPrediction where ImagePrediction was asked for",
}


@pytest.mark.parametrize(("at", "sentence"), [*NAMING.items(), *MENDING.items()])
def test_a_failure_marks_the_guilty_sample_alone_and_says_why(tmp_path, at, sentence):
    plan = plan_of(tmp_path / "a", tmp_path / "t", methods=(guilty(at), method(Fine)))
    plan = only_naming(plan) if at in NAMING else replace(plan, tasks=plan.tasks[1:])
    done = run(plan)
    failed = [r for r in done.records() if r.status == "failed"]
    assert {(r.method, r.sample) for r in failed} == {("guilty", "1")}
    assert all(sentence in r.error and r.error.startswith("method 'guilty'") for r in failed)
    assert all(r.scores == {} and r.features == {} for r in failed)
    assert len(done.records()) == (4 * 5 if at in NAMING else 4 * 9 * 2)
    assert done.failed
    assert done.manifest.status == "finished"
    entry = done.manifest.failures[0]
    assert (entry.method, entry.samples) == ("guilty", 1)


@pytest.mark.parametrize(
    ("at", "sentence"),
    [
        ("tokenize short", "tokenize was given 1 images and returned 0"),
        ("tokenize type", "tokenize returned a dict, not VisualTokens"),
        ("count", "decode was given 1 requests and returned 0 predictions"),
        ("none", "decode returned None, not a list of predictions"),
    ],
)
def test_a_method_that_always_fails_leaves_the_others_as_they_are(tmp_path, at, sentence):
    plan = only_naming(plan_of(tmp_path / "a", tmp_path / "t", methods=(guilty(at),)))
    done = run(plan)
    rows = {(r.method, r.status) for r in done.records()}
    assert rows == {("guilty", "failed"), (None, "scored")}
    assert all(sentence in r.error for r in done.records() if r.error)


def test_a_method_that_cannot_be_built_is_told_and_the_others_run(paths):
    def build():
        raise ValueError("blocks.safetensors is cut short; make it again")

    plan = plan_of(*paths)
    plan = replace(plan, methods=(method(Blocks, build), plan.methods[1]))
    done = run(plan)
    assert {r.method for r in done.records()} == {"fine", None}
    entry = done.manifest.methods["blocks"]
    assert entry.status == "failed"
    assert entry.error.startswith(
        "method 'blocks' cannot be built: ValueError: blocks.safetensors is cut short; make it"
    )
    assert done.manifest.failures[0].error == entry.error
    assert done.failed
    mended = run(replace(plan, methods=(method(Blocks), plan.methods[1])))
    assert {r.method for r in mended.records()} == {"blocks", "fine", None}
    assert not mended.failed


def test_a_backbone_that_cannot_be_loaded_fails_the_methods_that_need_it(paths):
    class Missing(OneBackbone):
        def get(self, role):
            raise ValueError("llm.safetensors is cut short")

    backbones = Missing()
    needy = method(Blocks, lambda: backbones.get("llm"))
    other = method(type("Alone", (Fine,), {"card": replace(Fine.card, backbones=())}))
    done = run(plan_of(*paths, methods=(needy, other), backbones=backbones))
    assert "llm.safetensors is cut short" in done.manifest.methods["blocks"].error
    assert {r.method for r in done.records()} == {"fine", None}


def test_a_prompt_that_the_engine_cannot_answer_fails_its_sample(paths):
    class Choosy(Hashing):
        def answer(self, prompt, company):
            if "query 0 1" in repr(prompt):
                raise AssertionError
            done = super().answer(prompt, company)
            return Failed("the prompt is too long") if done.text == "red" else done

    done = run(only_naming(plan_of(*paths, engine=Choosy(), methods=(method(Blocks),))))
    for record in done.records():
        if record.status == "failed":
            assert "the prompt is too long." in record.error
            assert record.cost.seconds >= 0
        elif record.method and record.control in (None, "shuffled_tokens"):
            assert record.prediction.text != "red"


def test_an_engine_that_raises_fails_only_the_prompts_that_make_it(paths):
    poison = Blocks().tokenize(picture("query 0 1").pixels[None], torch.tensor([[8, 8]]))

    class Brittle(Hashing):
        def run(self, prompts):
            if any(self.poisoned(prompt) for prompt in prompts):
                raise RuntimeError("CUDA error: device-side assert")
            return super().run(prompts)

        def poisoned(self, prompt):
            return len(prompt.query) and prompt.query[0].ids == wanted

    # In company of an odd number of images; see the world.
    wanted = tuple(poison.grid("local").flatten().tolist())
    plan = plan_of(*paths, engine=Brittle(), methods=(method(Blocks),), tokenize_batch=1)
    done = run(replace(only_naming(plan), controls=None))
    failed = [r for r in done.records() if r.status == "failed"]
    assert [r.sample for r in failed] == ["1"]
    assert "engine, task 'naming', sample '1': RuntimeError: CUDA error" in failed[0].error


def test_data_that_cannot_be_read_end_the_task_and_not_the_run(paths, tmp_path):
    path = tmp_path / "cut.png"

    Pillow.new("RGB", (64, 64), (10, 200, 30)).save(path)
    path.write_bytes(path.read_bytes()[:60])

    def data(name: str) -> Image:
        return read_image(path) if name == "query 0 3" else picture(name)

    plan = plan_of(*paths)
    broken = PlannedTask(Naming(Ways()), lambda: data, 4, {"ways": 2})
    done = run(replace(plan, tasks=(broken, plan.tasks[1])))
    assert {r.sample for r in done.records() if r.task == "naming"} == {"0", "1", "2"}
    assert len([r for r in done.records() if r.task == "mending"]) == 4 * 9 * 2
    (entry,) = done.manifest.failures
    assert entry.task == "naming"
    assert "the data gave 3 samples and then failed" in entry.error
    assert "cannot read the image" in entry.error
    assert done.failed
    mended = run(plan)
    assert {r.sample for r in mended.records() if r.task == "naming"} == {"0", "1", "2", "3"}
    assert not mended.failed


def test_a_sample_that_cannot_be_scored_is_failed_and_never_zero(paths):
    def picky(prediction, target):
        if target == "blue":
            raise ValueError("blue has no score")
        return float("nan") if target == "red" else accuracy(prediction, target)

    plan = only_naming(plan_of(*paths))
    metrics = by_id(replace(ACCURACY, function=picky))
    done = run(replace(plan, metrics=metrics))
    for record in done.records():
        text = record.target.text
        assert (record.status == "failed") == (text in ("blue", "red"))
        if text == "blue":
            assert "scoring, task 'naming', sample" in record.error
            assert "metric 'accuracy[exact]': ValueError: blue has no score" in record.error
            assert record.prediction.kind == "text"
            assert record.scores == {}
        if text == "red":
            assert "gave NaN" in record.error


def marked(name: str) -> Image:
    """The world's image, one of them with a corner that no prediction has by itself."""
    image = picture(name)
    if name == "clean 0 1":
        image.pixels[:2, 0, 0] = torch.tensor([77, 11]) / 255
    return image


def features_of_all_but_one(images):
    if any((image.pixels[:2, 0, 0] * 255).round().tolist() == [77, 11] for image in images):
        raise ValueError("a spoiled corner")
    return mean_colours(images)


PICKY = replace(DISTANCE, function=features_of_all_but_one)


def test_features_that_cannot_be_had_fail_their_sample(paths):
    plan = plan_of(*paths)
    mending = replace(plan.tasks[1], data=lambda: marked)
    done = run(replace(plan, tasks=(mending,), metrics={**plan.metrics, **by_id(PICKY)}))
    assert {(r.sample, r.status) for r in done.records()} == {
        ("0", "scored"),
        ("1", "failed"),
        ("2", "scored"),
        ("3", "scored"),
    }
    for record in done.records():
        if record.sample == "1":
            assert "metric 'distance[mean]': ValueError: a spoiled corner" in record.error


def test_failed_samples_can_be_tried_again(paths):
    plan = only_naming(plan_of(*paths, methods=(guilty("decode"),)))
    assert run(plan).failed
    assert run(plan).failed
    mended = run(replace(plan, methods=(guilty(""),), retry_failed=True))
    assert not mended.failed
    assert len(mended.records()) == 4 * 5


def test_words_that_cannot_be_shown_cost_no_sample(paths):
    class Mute(Blocks):
        def words(self, tokens):
            raise LookupError("no word 7")

    done = run(plan_of(*paths, methods=(method(Mute),)))
    assert all(r.status == "scored" for r in done.records())
    assert "method 'blocks', words, task 'naming', sample '0': LookupError" in str(
        done.manifest.notes
    )


def test_writing_to_a_frozen_backbone_fails_the_run_and_names_method_and_tensor(paths):
    backbones = OneBackbone()

    class Writing(Blocks):
        def decode(self, requests, outcomes):
            backbones.layer.weight.data[0, 0] += 1e-6
            return super().decode(requests, outcomes)

    done = run(plan_of(*paths, methods=(method(Writing), method(Fine)), backbones=backbones))
    assert done.manifest.status == "failed"
    assert done.failed
    entry = done.manifest.backbones["llm"]
    assert entry.sha256_before == entry.sha256_after  # of the one that was loaded anew
    (sentence,) = done.manifest.violations
    assert sentence.startswith(
        "method 'blocks' changed what is frozen in task 'naming': the backbone 'llm': the tensor "
        "'weight' was written to;"
    )
    again = run(plan_of(*paths, methods=(method(Writing), method(Fine))))
    assert again.manifest.status == "failed"


def test_a_backbone_that_is_written_to_while_a_method_is_built_is_noticed(paths):
    backbones = OneBackbone()

    def build() -> Blocks:
        backbones.layer.bias.data += 1
        return Blocks()

    done = run(plan_of(*paths, methods=(method(Blocks, build),), backbones=backbones, limit=1))
    assert "'bias'" in done.manifest.violations[0]


def full_after(count: int) -> Callable[..., None]:
    real = lines.append_lines
    left = [count]

    def append(path, records):
        left[0] -= 1
        if left[0] < 0:
            path.parent.mkdir(exist_ok=True)
            with path.open("ab") as file:
                file.write(b'{"suite":')  # what fitted
            with lines.writing(path):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(path, records)

    return append


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_full_disk_stops_the_run_at_once_and_it_can_be_resumed(tmp_path, monkeypatch, count):
    plan = plan_of(tmp_path / "run", tmp_path / "tokens")
    with monkeypatch.context() as patch:
        patch.setattr("frostbench.bench.store.writer.append_lines", full_after(count))
        with pytest.raises(StoreFullError, match=r"no room .*\.jsonl .*give the same command"):
            run(plan)
    whole = run(replace(plan, out=tmp_path / "whole", tokens=tmp_path / "other"))
    assert plain(run(plan)) == plain(whole)


FULL = """
import resource, sys
from pathlib import Path
from runner_world import plan_of
from frostbench.bench.runner.run import run
from frostbench.bench.store.atomic import StoreFullError
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    run(plan_of(Path(sys.argv[1]) / "run", Path(sys.argv[1]) / "tokens"))
except StoreFullError as error:
    sys.exit(f"said: {error}")
"""


@pytest.mark.parametrize("size", [6000, 20_000])
def test_a_file_that_may_not_grow_is_a_full_disk_to_a_real_process(tmp_path, size):
    assert resource.RLIMIT_FSIZE is not None
    child = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path), str(size)],
        capture_output=True,
        text=True,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
        check=False,
    )
    assert child.returncode == 1, child.stderr
    assert child.stderr.splitlines()[-1].startswith("said: no room to write ")
    done = run(plan_of(tmp_path / "run", tmp_path / "tokens"))
    whole = run(plan_of(tmp_path / "whole", tmp_path / "other"))
    assert plain(done) == plain(whole)


@pytest.mark.parametrize(
    ("score", "said"),
    [
        (float("inf"), "gave inf, which is no score"),
        (-1e200, r"gave -1e+200, which is no score"),
        (1.5, "gave 1.5, and says itself that its scores are from 0.0 to 1.0"),
    ],
)
def test_a_score_that_can_be_none_is_failed_and_said(paths, score, said):
    def absurd(prediction, target):
        return score if target == "blue" else accuracy(prediction, target)

    done = run(
        replace(only_naming(plan_of(*paths)), metrics=by_id(replace(ACCURACY, function=absurd)))
    )
    failed = [record for record in done.records() if record.status == "failed"]
    assert {record.target.text for record in failed} == {"blue"}
    assert all(f"metric 'accuracy[exact]' {said}" in record.error for record in failed)
    assert done.failed
