import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from runner_world import plain, plan_of

from frostbench.bench.runner.run import run
from frostbench.bench.store.reader import read_records

WORLDS = Path(__file__).parents[1] / "worlds"


def environment() -> dict[str, str]:
    return dict(os.environ, PYTHONPATH=os.pathsep.join([str(WORLDS), *sys.path]))


def test_killed_between_any_two_system_calls_a_run_resumes_to_the_same_records(tmp_path):
    child = subprocess.run(
        [sys.executable, str(WORLDS / "killed.py"), str(tmp_path), "--random", "2"],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert child.returncode == 0, child.stderr
    seen = json.loads(child.stdout.splitlines()[-1])
    assert seen["equal"] == seen["kills"]
    assert seen["kills"] >= 8
    assert seen["deaths"] >= 2
    assert seen["lost"] == seen["doubled"] == 0


CHILD = """
import sys
from pathlib import Path
from runner_world import Hashing, plan_of
from frostbench.bench.runner.run import run

def wait():
    calls.append(None)
    if len(calls) == 4:
        print("in the middle", flush=True)
        sys.stdin.read()  # until it is killed

calls = []
folder = Path(sys.argv[1])
run(plan_of(folder / "run", folder / "tokens", limit=5, engine=Hashing(wait)))
"""


def test_kill_9_in_the_middle_and_the_same_command_again(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "in the middle\n"
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
    kept = {record.key for record in read_records(tmp_path / "run")}
    assert kept
    resumed = run(plan_of(tmp_path / "run", tmp_path / "tokens", limit=5))
    whole = run(plan_of(tmp_path / "whole", tmp_path / "other", limit=5))
    assert kept < {record.key for record in resumed.records()}
    assert plain(resumed) == plain(whole)
    for name in ("metrics", "tasks", "methods", "failures", "dashes", "status"):
        assert getattr(resumed.manifest, name) == getattr(whole.manifest, name)
