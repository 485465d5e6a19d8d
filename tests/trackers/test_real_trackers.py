"""The packages themselves, in an environment of their own: make test-trackers."""

import io
import json
import os
import sqlite3
import subprocess
import sys

import pytest
from runner_world import plan_of

from frostbench.bench.runner.progress import Quiet
from frostbench.bench.runner.run import run

pytestmark = pytest.mark.trackers
LIMIT = 4


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tracked")
    return run(plan_of(folder / "run", folder / "tokens", limit=LIMIT), Quiet(io.StringIO()))


def track(finished, tmp_path, name):
    """Hand a run on twice, as if it went on, without a network."""
    cut = dict.fromkeys(
        ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://[::1]:9"
    )
    kept = {"TRACKIO_DIR": str(tmp_path / "trackio"), "WANDB_DIR": str(tmp_path)}
    words = [sys.executable, "-m", "frostbench", "track", str(finished.folder), f"trackers={name}"]
    for more in ([], ["resumed=true"]):
        subprocess.run([*words, *more], cwd=tmp_path, env={**os.environ, **cut, **kept}, check=True)


def test_trackio_keeps_curves_and_images(finished, tmp_path):
    track(finished, tmp_path, "trackio")
    database = sqlite3.connect(tmp_path / "trackio" / "frostbench.db")
    found = database.execute("select run_name, step, metrics from metrics order by id").fetchall()
    database.close()
    assert len({name for name, _, _ in found}) == 1
    steps = [step for _, step, text in found if "naming/accuracy[exact]/blocks" in json.loads(text)]
    assert steps[:LIMIT] == [1, 2, 3, 4]
    assert any(b'"trackio.image"' in text for _, _, text in found)
    assert list((tmp_path / "trackio" / "media").rglob("*.png"))


def test_mlflow_keeps_curves_and_images(finished, tmp_path):
    track(finished, tmp_path, "mlflow")
    database = sqlite3.connect(tmp_path / "mlflow.db")
    (status,) = database.execute("select status from runs").fetchone()
    steps = database.execute(
        "select step from metrics where key = 'naming/accuracy_exact_/blocks' order by step"
    ).fetchall()
    database.close()
    assert status == "FINISHED"
    assert sorted({step for (step,) in steps}) == [1, 2, 3, 4]
    assert list((tmp_path / "mlruns").rglob("samples.json"))
    assert list((tmp_path / "mlruns").rglob("*.png"))


def test_wandb_keeps_a_run_offline(finished, tmp_path):
    track(finished, tmp_path, "wandb")
    assert list((tmp_path / "wandb").glob("offline-run-*/*.wandb"))
