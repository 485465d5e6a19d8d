"""A process that dies is noticed, blamed where it is to blame, and never ends with code 0."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

DEATHS = Path(__file__).parents[1] / "worlds" / "deaths.py"
ENVIRONMENT = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))


def start(how, folder=""):
    return subprocess.Popen(
        [sys.executable, str(DEATHS), how, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        # A worker of pytest may ignore SIGINT, and its children with it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def finished(child):
    out, err = child.communicate()
    return child.returncode, out.splitlines(), err.splitlines()


def waiting(folder):
    """The process that works, once it waits for its end."""
    file = Path(folder, "waiting")
    while not (file.exists() and file.read_text()):
        time.sleep(0.01)
    return int(file.read_text())


def gone(pid):
    """Wait until a process that is nobody's child here has gone."""
    while True:
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat")
            if state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.01)


BLAMED = {
    "exit 0": "the process ended by itself with exit code 0",
    "exit 3": "the process ended by itself with exit code 3",
    "thread": "the process ended by itself with exit code 0",
    "crash": "the process died with signal SIGSEGV",
    "abort": "the process died with signal SIGABRT",
    "deaf": "the process did not heed its time limit (most_seconds) and was ended",
}


@pytest.mark.parametrize("how", BLAMED)
def test_a_death_fails_the_part_in_which_it_was_and_the_others_go_on(how):
    code, out, err = finished(start(how))
    assert code == 1
    assert out == [
        "sound is done",
        "sound is done",
        f"sinner failed: {BLAMED[how]} while it was in tokenize, task 'naming'",
        "last is done",
    ]
    said = [line for line in err if line.startswith("frostbench: ")]
    assert said == [
        f"frostbench: {BLAMED[how]} while method 'sinner' was in tokenize, task 'naming'; the work "
        "goes on without it."
    ]


@pytest.mark.parametrize(
    ("how", "code", "name"),
    [
        ("kill", 137, "SIGKILL (for want of memory, or by hand)"),
        ("term", 143, "SIGTERM"),
    ],
)
def test_a_death_that_came_from_outside_blames_nobody(how, code, name):
    assert finished(start(how)) == (
        code,
        ["sound is done"],
        [
            f"frostbench: the process died with signal {name} while method 'sinner' was in "
            "tokenize, task 'naming'; the same command goes on from there."
        ],
    )


@pytest.mark.parametrize(
    ("how", "code", "said"),
    [
        ("none", 0, ""),
        ("fail", 1, ""),
        ("late", 0, ""),
        ("outside", 1, "exit code 0; the same command goes on from there."),
        ("raise", 1, "RuntimeError: a mistake of ours"),
    ],
)
def test_the_exit_code_is_that_of_the_work_and_0_only_if_all_is_done(how, code, said):
    found, out, err = finished(start(how))
    assert found == code
    assert said in "".join(err[-1:])
    assert len(out) == (2 if how == "fail" else 3)


def test_a_ctrl_c_of_the_terminal_or_of_one_process_ends_the_work_once(tmp_path):
    for number, group in enumerate((False, True)):
        folder = tmp_path / str(number)
        folder.mkdir()
        child = start("wait", folder)
        working = waiting(folder)
        child.send_signal(signal.SIGINT)
        if group:  # as a terminal does
            os.kill(working, signal.SIGINT)
        code, out, err = finished(child)
        assert code == 130, err
        assert out == ["sound is done"]
        assert err == []


def test_sigterm_is_passed_on(tmp_path):
    child = start("wait", tmp_path)
    working = waiting(tmp_path)
    child.send_signal(signal.SIGTERM)
    code, _, err = finished(child)
    assert code == 143
    assert re.search("SIGTERM while method 'sinner' was in tokenize.*same command goes on", err[0])
    assert gone(working)


def test_what_swallows_a_ctrl_c_is_ended_by_a_second_one(tmp_path):
    child = start("stubborn", tmp_path)
    waiting(tmp_path)
    child.send_signal(signal.SIGINT)
    while not (tmp_path / "Interrupted").exists():
        time.sleep(0.01)
    time.sleep(1.1)  # later than the same Ctrl-C could come twice
    child.send_signal(signal.SIGINT)
    code, _, err = finished(child)
    assert code == 130
    assert "SIGINT while method 'sinner'" in err[-1]


def test_the_process_that_works_dies_with_the_one_that_waits(tmp_path):
    child = start("stubborn", tmp_path)
    working = waiting(tmp_path)
    with child:
        child.kill()
    assert child.returncode == -signal.SIGKILL
    assert gone(working)


RACE = """
import math, os, time
from frostbench.bench.cli.board import Board
from frostbench.plugins.host.containment import Call
board, calls = Board(), [Call("method", "m" * n, "tokenize") for n in range(7)]
child, end = os.fork(), time.monotonic() + 0.8
while not child and time.monotonic() < end:
    for number in range(77):
        board.tell(calls[number % 7], "scene" * (number % 11), math.inf)
if not child:
    board.finish(5)
    os._exit(0)
read = 0
while board.read().status is None:
    read += 1
os.waitpid(child, 0)
print(board.read().status, read > 1000)
"""


def test_what_is_read_while_it_is_written_is_whole():
    done = subprocess.run(
        [sys.executable, "-c", RACE], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.split() == ["5", "True"], done.stderr
