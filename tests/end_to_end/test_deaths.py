"""The console script: a part that dies is failed, and no death ends with exit code 0."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from installed_plugins import HOOK, install, offering
from light_plugin import PLUGIN, pack, words

from frostbench.bench.cli import main
from frostbench.bench.store.reader import open_run
from frostbench.plugins.host.containment import failed_by_death

CODE = "import sys; from frostbench.bench.cli import script; sys.exit(script())"
SCRIPT = [sys.executable, "-c", CODE]


def start(*command, site="", **environment):
    path = os.pathsep.join([*([str(site)] if site else []), *sys.path])
    return subprocess.Popen(
        [*SCRIPT, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path, **environment},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def finished(child):
    out, err = child.communicate()
    return child.returncode, out, err


def counts(folder, out="run"):
    made = {"light": 0, "sinner": 0}
    for record in open_run(folder.parent / out).records():
        assert record.status == "scored"
        made[record.method] += 1
    return made


def test_a_method_in_which_the_process_dies_is_failed_and_gets_another_chance(tmp_path, capsys):
    folder = pack(tmp_path / "pack")
    code, _, err = finished(start(*words(folder), SIN="tokenize exit 0"))
    how = "the process ended by itself with exit code 0 while"
    assert code == 1, err
    assert err.splitlines()[0] == (
        f"frostbench: {how} method 'sinner' was in tokenize, task 'light_naming'; the work goes on "
        "without it."
    )
    left_out = f"method 'sinner' is left out: {how} it was in tokenize, task 'light_naming'."
    assert left_out in err.splitlines()
    assert counts(folder) == {"light": 2, "sinner": 0}
    run = open_run(folder.parent / "run")
    assert run.manifest.status == "finished"
    assert [(one.method, one.error) for one in run.manifest.failures] == [("sinner", left_out)]
    # Resumed, it stays failed; asked to, the run tries again.
    assert main(words(folder)) == 1
    assert left_out in capsys.readouterr().err
    assert main([*words(folder), "retry_failed=true"]) == 0
    assert counts(folder) == {"light": 2, "sinner": 2}
    assert open_run(folder.parent / "run").manifest.deaths == {}
    assert main(words(folder)) == 0


@pytest.mark.parametrize(
    ("sin", "said"),
    [
        ("build sys.exit", "method 'sinner' cannot be built: SystemExit: 0"),
        ("tokenize interrupt", "method 'sinner', tokenize, task 'light_naming', sample '0'"),
        ("decode sys.exit", "method 'sinner', decode, task 'light_naming', sample '0'"),
        ("prompt endless", "it yields more than 9 waves (most_waves)"),
    ],
)
def test_what_a_method_raises_or_never_ends_ends_no_command(
    tmp_path, monkeypatch, capsys, sin, said
):
    folder = pack(tmp_path / "pack")
    monkeypatch.setenv("SIN", sin)
    assert main([*words(folder), "most_waves=9"]) == 1
    assert said in capsys.readouterr().err
    scored = [one for one in open_run(tmp_path / "run").records() if one.status == "scored"]
    assert [one.method for one in scored] == ["light", "light"]
    monkeypatch.delenv("SIN")
    assert main([*words(folder), "retry_failed=true"]) == 0
    assert counts(folder) == {"light": 2, "sinner": 2}


@pytest.mark.parametrize("key", ["most_waves=0", "most_seconds=-1", "error_length=2"])
def test_a_limit_that_leaves_no_room_is_refused(tmp_path, capsys, key):
    assert main([*words(pack(tmp_path / "pack")), key]) == 2
    assert main(["check", "v2l", key]) == 2
    assert capsys.readouterr().err.count("is needed.\n") == 2


def test_a_killed_run_blames_nobody_and_is_resumed(tmp_path):
    folder = pack(tmp_path / "pack")
    code, _, err = finished(start(*words(folder), SIN="prompt kill"))
    assert code == 137
    assert "SIGKILL (for want of memory, or by hand) while method 'sinner' was in prompt" in err
    assert main(words(folder)) == 0
    assert counts(folder) == {"light": 2, "sinner": 2}


def test_a_ctrl_c_ends_a_run_that_can_be_resumed(tmp_path):
    folder = pack(tmp_path / "pack")
    file = tmp_path / "waiting"
    child = start(*words(folder), SIN="decode wait", WAITING=str(file))
    while not file.exists():
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    code, _, err = finished(child)
    assert (code, err) == (130, "frostbench: interrupted; the same command goes on from here.\n")
    assert main(words(folder)) == 0
    assert counts(folder) == {"light": 2, "sinner": 2}


def test_kill_9_of_the_process_that_waits_frees_the_folder_at_once(tmp_path):
    folder = pack(tmp_path / "pack")
    file = tmp_path / "waiting"
    with start(*words(folder), SIN="decode wait", WAITING=str(file)) as child:
        while not file.exists():
            time.sleep(0.02)
        child.kill()
    assert main(words(folder)) == 0
    assert counts(folder) == {"light": 2, "sinner": 2}


@pytest.mark.parametrize("place", ["import", "hook"])
def test_an_installed_plugin_that_ends_the_process_is_left_out(tmp_path, place):
    ends = "import os; os._exit(0)"
    hook = HOOK + f"@hookimpl\ndef frostbench_methods():\n    {ends}\n"
    install(tmp_path / "site", "bad", ends if place == "import" else hook)
    install(tmp_path / "site", "good", offering("good"))
    code, out, err = finished(start("list", "--json", site=tmp_path / "site"))
    assert code == 1, "a part is left out that died"
    listed = json.loads(out)
    assert {"good", "v2l"} <= {one["name"] for one in listed["methods"]}
    ((name, reason),) = [(one["name"], one["reason"]) for one in listed["left_out"]]
    assert name == "bad"
    assert "the process ended by itself with exit code 0 while it was in " in reason
    assert "while plugin 'bad' was in" in err


def test_a_check_of_a_method_in_which_the_process_died_does_not_hold(capsys):
    how = "the process died with signal SIGSEGV while it was in decode"
    with failed_by_death({"method 'sinner'": how}):  # as the process that works begins again
        assert main(["check", "sinner", f"plugins={PLUGIN}"]) == 1
    out = capsys.readouterr().out
    assert f"FAILS  it can be tried: {how}" in out
    assert out.endswith("1 checks do not hold\n")
