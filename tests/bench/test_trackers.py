"""Trackers observe a run from a process of their own, and never harm or slow it."""

import io
import json
import os
import sys
import time
from dataclasses import replace

import pytest
from crews import LIMIT, crew_on, slow
from fake_trackers import MLFLOW, TRACKIO
from runner_world import Hashing, plan_of

from frostbench.bench.cli.config import RunConfig, UsageError, read_config
from frostbench.bench.cli.main import main
from frostbench.bench.cli.track import Trackers, chosen, tracked
from frostbench.bench.runner.progress import Quiet
from frostbench.bench.runner.run import run
from frostbench.bench.watching import RunWatch

TASKS = {"naming", "mending/oracle_context", "mending/held_out_context"}


@pytest.fixture
def told(tmp_path, monkeypatch):
    """What a fake trackio is told, in this process and in those that it starts."""
    place = tmp_path / "packages"
    place.mkdir()
    (place / "trackio.py").write_text(TRACKIO)
    (place / "mlflow.py").write_text(MLFLOW)
    monkeypatch.syspath_prepend(str(place))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(place), *sys.path]))
    monkeypatch.setenv("TOLD", str(tmp_path / "told"))
    monkeypatch.setenv("TRACKIO_SPACE_ID", "someone/elsewhere")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://elsewhere")
    yield lambda: [json.loads(line) for line in (tmp_path / "told").read_text().splitlines()]
    for name in ("trackio", "mlflow", "mlflow.entities"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tracked")
    return run(plan_of(folder / "run", folder / "tokens", limit=LIMIT), Quiet(io.StringIO()))


def points(lines):
    found = {}
    for line in lines:
        if line["kind"] == "points":
            for name, value in line["values"].items():
                found.setdefault(name, {})[line["step"]] = value
    return found


def test_a_run_is_handed_on_with_curves_and_images(finished, told):
    assert (
        main(["track", str(finished.folder), "trackers=trackio", "tracker.trackio.images=2"]) == 0
    )
    begun, *lines = told()
    assert begun["asked"]["project"] == "frostbench"
    assert begun["names"] == []  # nothing of the environment sends it elsewhere
    assert not {"space_id", "server_url"} & begun["asked"].keys()
    assert str(finished.folder) not in json.dumps(begun)
    assert lines[-1]["kind"] == "finish"
    curves = points(lines)
    for task in RunWatch(finished.folder).look().tasks:
        for row in task.rows:
            name = f"{task.name}/{task.metric.id}/{row.name.replace(' · ', '+')}"
            assert curves[name][row.samples] == pytest.approx(row.estimate.value)
            steps = sorted(curves[name])
            assert steps[0] == 1
            assert steps[-1] == LIMIT
            if row.estimate.low is not None:
                low = name.replace(task.metric.id, f"{task.metric.id} low")
                assert curves[low][LIMIT] == pytest.approx(row.estimate.low)
    assert curves["run/samples"][len(finished.records())] == len(finished.records())
    tables = [line for line in lines if line["kind"] == "table"]
    assert {one["name"].removesuffix("/samples") for one in tables} <= TASKS
    for one in tables:
        assert len({row[0] for row in one["rows"]}) <= 2
        assert any(isinstance(value, list) for row in one["rows"] for value in row)  # images


def test_mlflow_is_told_the_same_and_keeps_it_in_a_file(finished, told):
    assert main(["track", str(finished.folder), "trackers=mlflow"]) == 0
    lines = told()
    assert {line["uri"] for line in lines if "uri" in line} == {"sqlite:///mlflow.db"}
    assert "MLFLOW_TRACKING_URI" not in os.environ
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    curves = points(lines)
    assert curves["naming/accuracy_exact_/blocks"][LIMIT] >= 0
    assert any(line["kind"] == "table" for line in lines)
    assert lines[-1] == {"kind": "end", "status": "FINISHED"}


def test_one_observes_for_all_workers(tmp_path, told):
    where = tmp_path / "run", tmp_path / "tokens"

    def plan():
        return plan_of(*where, limit=4, engine=Hashing(slow))

    notes = []
    crew, _ = crew_on(plan, 2)
    config = read_config(RunConfig, [f"out={where[0]}", "trackers=trackio"])
    with tracked(config, notes.append) as begin:
        stored = run(replace(plan(), opened=begin), Quiet(io.StringIO()), crew)
    assert not notes
    lines = told()
    assert [line["kind"] for line in lines].count("init") == 1
    assert points(lines)["run/samples"].popitem()[1] == len(stored.records())
    assert "tracker" not in json.dumps(stored.manifest.to_json()["config"])


def test_a_run_that_goes_on_has_no_second_curve(finished, told):
    for more in ([], ["resumed=true"]):
        assert main(["track", str(finished.folder), "trackers=trackio", *more]) == 0
    lines = told()
    first, second = (place for place, line in enumerate(lines) if line["kind"] == "init")
    assert lines[first] == lines[second]
    curve = "naming/accuracy[exact]/blocks"
    assert len(points(lines[:second])[curve]) > 5
    assert list(points(lines[second:])[curve]) == [LIMIT]


def test_a_package_that_fails_is_one_sentence(finished, told, monkeypatch, capsys):
    monkeypatch.setenv("HOW", "fail")
    assert main(["track", str(finished.folder), "trackers=trackio"]) == 1
    said = "frostbench: tracker trackio: ConnectionError: the network is cut"
    assert capsys.readouterr().err.startswith(said)


@pytest.mark.parametrize(
    ("does", "said"),
    [
        (
            "echo noise >&2; echo 'frostbench: tracker trackio: no network.' >&2; exit 2",
            "no network",
        ),
        ("kill -9 $$", "of signal SIGKILL (for want of memory, or by hand)"),
        ("exec sleep 600", "had not ended by itself"),
    ],
)
def test_what_becomes_of_a_tracker_is_noted_once_and_soon(tmp_path, told, monkeypatch, does, said):
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\n{does}\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    notes = []
    trackers = Trackers("run", chosen(["trackio"], {}), notes.append, patience=0.3)
    trackers.begin(0)
    begun = time.monotonic()
    trackers.end()
    assert time.monotonic() - begun < 5
    assert len(notes) == 1
    assert notes[0].startswith("tracker trackio")
    assert said in notes[0]
    assert "\n" not in notes[0]


def test_who_is_not_there_is_said_before_anything_runs(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'frostbench\[wandb\]'"):
        chosen(["wandb"], {})
    monkeypatch.undo()
    with pytest.raises(LookupError, match="no tracker named 'trackoi'"):
        chosen(["trackoi"], {})
    assert main(["run", f"out={tmp_path / 'run'}", "trackers=nobody", "limit=1"]) == 2
    assert "nobody" in capsys.readouterr().err
    assert not (tmp_path / "run" / "manifest.json").exists()
    assert main(["track", str(tmp_path)]) == 2


def test_nothing_is_imported_where_nobody_is_named(tmp_path):
    assert not {"trackio", "wandb", "mlflow"} & set(sys.modules)
    with tracked(read_config(RunConfig, []), pytest.fail) as begin:
        begin(0)
