"""Under isolation a method finds nothing that it should not, and harms nobody but itself."""

import pickle
import sys
from dataclasses import fields
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch
from isolated_world import Sinner, Spy, Toy, apart, beside
from runner_world import (
    Blocks,
    Fine,
    Hashing,
    Naming,
    Ways,
    accuracy,
    method,
    picture,
    plain,
    plan_of,
)

from frostbench.baselines.flmm.method import FLMM
from frostbench.baselines.lm4lv.method import LM4LV
from frostbench.baselines.visionllm.method import VisionLLMMethod
from frostbench.bench.cli.config import RunConfig
from frostbench.bench.cli.isolating import opening_of
from frostbench.bench.isolation import link
from frostbench.bench.isolation.method import isolated
from frostbench.bench.runner.plan import PlannedMethod, PlannedTask
from frostbench.bench.runner.run import run
from frostbench.plugins.contract.requests import images_of
from frostbench.plugins.engine import answer
from frostbench.plugins.host.limits import Limits
from frostbench.plugins.host.registry import Host
from frostbench.plugins.kit.trial import Trial


class Steady(Hashing):
    """Answers a prompt alike in any company."""

    def answer(self, prompt, company):
        return super().answer(prompt, 1)


def run_of(folder, *methods, **changes):
    changes = {"methods": methods, "limit": 2, "engine": Steady(), **changes}
    return run(plan_of(folder / "run", folder / "tokens", **changes))


def naming(folder, *methods, limit=2, **changes):
    tasks = (PlannedTask(Naming(Ways()), lambda: picture, limit),)
    return run_of(folder, *methods, tasks=tasks, **changes)


def rows(done, *names):
    lines = [line for line in plain(done) if line["method"] in names]
    return [{**line, "made_by": ""} for line in lines]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Two methods, with nobody beside them and in the run's process."""
    return run_of(tmp_path_factory.mktemp("alone"), method(Blocks), method(Fine))


def test_every_record_is_the_same_in_a_process_of_its_own(tmp_path, alone):
    done = run_of(tmp_path, apart(Blocks), apart(Fine))
    assert not done.failed
    assert len(rows(done, "blocks", "fine", None)) > 20
    assert rows(done, "blocks", "fine", None) == rows(alone, "blocks", "fine", None)
    assert any(line["words"] for line in rows(done, "blocks"))


def test_targets_methods_and_files_that_a_spy_finds_in_memory_are_not_there_under_isolation(
    tmp_path,
):
    spied = {}
    for way in (beside, apart):
        done = naming(tmp_path / way.__name__, way(Spy), method(Blocks), controls=None)
        spied[way] = [record for record in done.records() if record.method == "sinner"]
    assert {record.scores["accuracy[exact]"] for record in spied[beside]} == {1.0}
    assert spied[beside][0].words["found"] == [["Blocks", "SampleWriter"]]
    assert {record.prediction.text for record in spied[apart]} == {"0 targets"}
    assert spied[apart][0].words["found"] == [[]]


def test_what_a_vandal_replaces_is_replaced_for_itself_alone(tmp_path, alone, monkeypatch):
    done = run_of(
        tmp_path / "apart", apart(Sinner, "vandalise", "build"), method(Blocks), method(Fine)
    )
    assert rows(done, "blocks", "fine") == rows(alone, "blocks", "fine")
    monkeypatch.setattr(Fine, "draw", Fine.draw)  # as it is, to be so after this test
    monkeypatch.setattr(accuracy, "__code__", accuracy.__code__)
    vandal = beside(Sinner, "vandalise", "build")
    hurt = run_of(tmp_path / "beside", vandal, method(Blocks), method(Fine))
    assert rows(hurt, "fine") != rows(alone, "fine")
    assert rows(hurt, "blocks") != rows(alone, "blocks")


ENDS = {
    "exit": "its process ended with exit code 3 while it was in {}",
    "crash": "its process ended of signal SIGSEGV while it was in {}",
    "kill": "its process ended of signal SIGKILL (for want of memory, or by hand) while it was in",
    "lie": "its process was ended because of its answer: the message cannot be read: ",
    "memory": "MemoryError: ",
    "halve": "in its own process: the backbone 'llm': the tensor 'weight' was written to",
    "argmax": "in its own process: 'argmax' of module torch was replaced",
}


@pytest.mark.parametrize(
    ("deed", "at"),
    [
        *(("exit", "build"), ("exit", "late"), ("exit", "decode"), ("crash", "prompt")),
        *(
            ("kill", "tokenize"),
            ("lie", "prompt"),
            ("halve", "tokenize"),
            ("memory", "prompt"),
            ("argmax", "decode"),
        ),
    ],
)
def test_a_process_that_ends_or_sins_fails_its_method_and_nobody_else(tmp_path, alone, deed, at):
    place = tmp_path / "touched"
    sinner = apart(Sinner, deed, at, str(place))
    done = naming(tmp_path, sinner, method(Blocks), controls=None)
    assert done.manifest.status == "finished"
    named = [line for line in rows(alone, "blocks") if line["task"] == "naming"]
    assert rows(done, "blocks") == [line for line in named if line["control"] is None]
    said = ENDS[deed].format({"late": "advance"}.get(at, at))
    mine = [record.error for record in done.records() if record.method == "sinner"]
    assert len(mine) == (0 if at == "build" else 2)
    assert all(said in error for error in mine or [done.manifest.methods["sinner"].error])
    assert not place.exists()


HANGS = {
    "sleep": "TimeLimitError: not done after 0.",
    "deaf": "its process did not heed its time limit (most_seconds) and was ended while it was in ",
}


@pytest.mark.parametrize(
    ("deed", "at"), [("deaf", "tokenize"), ("deaf", "prompt"), ("sleep", "prompt")]
)
def test_a_process_that_hangs_is_ended_in_time(tmp_path, monkeypatch, deed, at):
    monkeypatch.setattr(link, "GRACE", 0.1)
    limits = Limits(most_seconds=0.2)
    done = naming(tmp_path, apart(Sinner, deed, at), limit=1, limits=limits, controls=None)
    (failed,) = (record for record in done.records() if record.method)
    assert HANGS[deed] in failed.error


def test_a_method_beside_one_that_hangs_goes_on(tmp_path, alone, monkeypatch):
    monkeypatch.setattr(link, "GRACE", 0.1)
    limits = Limits(most_seconds=1.5)
    sinner = apart(Sinner, "deaf", "prompt")
    done = naming(tmp_path, sinner, method(Blocks), limits=limits, controls=None)
    named = [line for line in rows(alone, "blocks") if line["task"] == "naming"]
    assert rows(done, "blocks") == [line for line in named if line["control"] is None]
    assert {one.status for one in done.records() if one.method == "sinner"} == {"failed"}


@pytest.mark.parametrize("kind", [LM4LV, FLMM, VisionLLMMethod])
def test_predictions_are_the_same_whatever_is_asked_of_a_backbone(kind):
    trial = Trial(kind)
    engine, tokens = trial.engine, trial.tokens
    requests = list({type(one): one for one in trial.requests}.values())
    there = isolated(PlannedMethod(kind.card, kind.toy), Toy(kind)).build()
    assert Path(f"/proc/{there._link.process}/oom_score_adj").read_text() == "1000\n"
    assert there.fingerprint == trial.method.fingerprint
    assert there.codes == trial.method.codes
    images = list(dict.fromkeys(image for one in requests for image in images_of(one)))
    own = answer.tokenized(there, images)
    for image in images:
        expected = tokens[image]
        named = own[image].tensors()
        assert all(torch.equal(one, named[key]) for key, one in expected.tensors().items())
        assert there.words(expected) == trial.method.words(expected)
    made = answer.answer(there, requests, engine, own)
    assert list(map(as_plain, made)) == list(
        map(as_plain, answer.answer(trial.method, requests, engine, tokens))
    )


def as_plain(prediction):
    values = [getattr(prediction, one.name) for one in fields(prediction)]
    return [one.tolist() if isinstance(one, torch.Tensor) else one for one in values]


SCRIPT = Path(__file__).parents[2] / "benchmarks" / "isolation.py"
SPEC = spec_from_file_location("isolation_cost", SCRIPT)
isolation_cost = module_from_spec(SPEC)
sys.modules[SPEC.name] = isolation_cost
SPEC.loader.exec_module(isolation_cost)


def test_a_method_of_the_pack_gives_the_same_rows_in_its_own_process(capfd):
    words = ["methods=vqgan", "tasks=few_shot_classification,reconstruction", "limit=1"]
    words += ["controls=false"]
    without, within = (isolation_cost.measure(words, isolate=one) for one in (False, True))
    assert without.code == within.code == 0
    assert len(without.rows) > 2
    assert without.rows == within.rows
    spent = (within.starting, within.work, without.starting, without.work)
    assert all(one.clock > 0 and one.processor > 0 for one in spent)
    # Which is the larger says little here: earlier tests' memory is given back in between.
    assert min(within.memory, without.memory) > 0
    assert f"{len(within.rows)} rows, equal" in isolation_cost.told(without, within)
    assert not capfd.readouterr().err


def test_a_process_is_told_of_its_own_method_alone():
    worlds = Path(__file__).parents[1] / "worlds"
    files = [str(worlds / f"{name}.py") for name in ("blank_method", "light_plugin")]
    config = RunConfig(
        plugins=files,
        methods=["blank", "v2l"],
        method={"blank": {}, "v2l": {"budget": 3}},
        data={"images": "photos"},
        out="runs/secret",
    )
    opening = opening_of(config, Host(files), ["causal_lm"], "blank")
    assert opening.config.plugins == files[:1]
    assert {"v2l", "vqgan", "flmm"} <= set(opening.config.plugins_disabled)
    assert not {"frozen", "mini"} & set(opening.config.plugins_disabled)
    assert opening.config.method == {"blank": {}}
    assert "photos" not in repr(opening)
    assert "secret" not in repr(opening)
    backbones, planned = pickle.loads(pickle.dumps(opening))()
    assert planned.build().card.name == "blank"
    assert not backbones.loaded()
