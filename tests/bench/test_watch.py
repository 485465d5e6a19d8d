"""A run is watched from outside: how far it is, who died, and how intervals narrow."""

import io
import os
import re
import signal
import time
from dataclasses import replace

import pytest
from crews import LIMIT, Forked, crew_on, slow
from runner_world import Hashing, plan_of

from frostbench.bench.cli.main import main
from frostbench.bench.leaderboard import build
from frostbench.bench.runner.mail import LEADER
from frostbench.bench.runner.progress import Quiet
from frostbench.bench.runner.run import run
from frostbench.bench.store.leases import Leases, beats_of, leases_of
from frostbench.bench.store.reader import read_records
from frostbench.bench.store.writer import RunWriter
from frostbench.bench.watching import RunWatch
from frostbench.bench.watching.sentences import clock, row_cells, summary, told
from frostbench.bench.watching.standing import MOST_POINTS, Point


def state_of(folder):
    """Every file of a folder, with what it holds."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("watched")
    return run(plan_of(folder / "run", folder / "tokens", limit=LIMIT), Quiet(io.StringIO()))


@pytest.fixture
def running(finished, tmp_path):
    """A run whose first task has ended, kept by somebody, with a worker who holds a chunk."""
    writer = RunWriter(tmp_path / "run")
    tasks = finished.manifest.tasks
    manifest = replace(finished.manifest, status="running", finished=None)
    writer.write_manifest(manifest.with_task("mending", complete=False, limit=40))
    assert tasks["mending"].complete
    writer.append([one for one in finished.records() if one.task == "naming" or one.sample < "3"])
    keeper, worker = Leases(tmp_path / "run", LEADER), Leases(tmp_path / "run", "1")
    keeper.beat()
    worker.beat()
    assert worker.claim("mending@oracle_context.3")
    return tmp_path / "run"


def test_what_is_done_is_that_of_the_board(finished):
    seen = RunWatch(finished.folder).look()
    assert seen.over
    assert seen.left == 0
    assert seen.samples == len(finished.records())
    board = {
        (row.task, row.protocol, row.of if row.control else row.method, row.control): (
            row.value,
            row.low,
            row.high,
        )
        for row in build([finished]).rows
        if row.metric == finished.manifest.tasks[row.task].ranks_by
    }
    for task in seen.tasks:
        assert task.done == task.total == LIMIT
        for row in task.rows:
            one = row.estimate
            key = task.task.name, task.protocol, row.method, row.control
            assert (one.value, one.low, one.high) == board[key]
    assert summary(seen).startswith(f"{finished.folder}: finished, ")


def test_two_workers_one_of_them_killed(tmp_path):
    """Who died is said, and who took its chunk over; the run is another process, as in life."""
    where = tmp_path / "run", tmp_path / "tokens"

    def go():
        def plan():
            return plan_of(*where, limit=LIMIT, engine=Hashing(slow), lease=2.0)

        crew, _ = crew_on(plan, 2)
        run(plan(), Quiet(io.StringIO()), crew)

    child = Forked(go)
    while not (where[0] / "manifest.json").exists():
        time.sleep(0.02)
    watcher, seen, killed = RunWatch(where[0], 2.0), [], False
    while not seen or not seen[-1].over:
        seen.append(watcher.look())
        for one in seen[-1].crew.workers:
            if not killed and one.name == "worker 1" and one.holds and one.where:
                os.kill(int(re.search(r"process (\d+)", one.where)[1]), signal.SIGKILL)
                killed = True
        time.sleep(0.02)
    while child.poll() is None:
        time.sleep(0.02)
    assert child.code == 0
    said = list(told(seen[-1]))
    (died,) = (line for line in said if line.startswith("worker 1 died ("))
    session = re.search(r"\((\w+)\)", died)[1]
    after = rf"worker [12] \(\w+\) took over the chunk \w+@\w*\.\d+ from worker 1 \({session}\)"
    assert any(re.match(after, line) for line in said), said
    assert any("worker 1 died 1 times" in line for line in said)
    workers = [worker for one in seen for worker in one.crew.workers]
    assert {one.name for one in workers} == {"the run", "worker 1", "worker 2"}
    assert any(one.rate for one in workers)
    counts = [one.samples for one in seen]
    assert counts == sorted(counts)
    assert len(set(counts)) > 3
    assert counts[-1] == len(read_records(where[0]))
    assert any(one.left for one in seen)
    assert any(len(row.trail) > 1 for task in seen[-1].tasks for row in task.rows)


def test_a_run_at_work_in_a_pipe_says_what_is_there_and_changes_nothing(running, capsys):
    before = state_of(running)
    assert main(["watch", str(running), "once=true"]) == 0
    said = capsys.readouterr().out
    assert state_of(running) == before
    assert re.search(r"mending/oracle_context +blocks +7/40 +0", said)
    assert re.search(r"worker 1 +at work .* mending@oracle_context.3", said)
    assert "about" in said.splitlines()[0]
    assert "No process keeps" not in said


def test_a_worker_that_is_quiet_or_gone_is_called_so(running):
    Leases(running, "1").bury("1")
    seen = RunWatch(running).look()
    assert next(told(seen)).startswith("worker 1 died (")
    silent = RunWatch(running, 1e-9).look()
    assert silent.over
    assert "No process keeps this run" in next(told(silent))


def test_a_run_that_nobody_keeps_is_not_waited_for(running, capsys):
    Leases(running, LEADER).bury(LEADER)
    assert main(["watch", str(running), "every=0.01"]) == 0
    assert "the same `frostbench run` goes on with it" in capsys.readouterr().out


def test_the_page_loads_itself_again_until_the_run_has_ended(running, finished, tmp_path):
    page = tmp_path / "page" / "watch.html"
    watcher = RunWatch(running)
    watcher.look()
    writer = RunWriter(running)
    writer.append(
        [one for one in finished.records() if one.task == "mending" and one.sample >= "3"]
    )
    from frostbench.bench.watching.page import page as drawn

    text = drawn(watcher.look(), 2.0)
    assert '<meta http-equiv="refresh" content="2">' in text
    assert text.count('<svg class="band"') >= 2
    assert "was ± " in text
    assert "<td>worker 1</td><td>at work</td>" in text
    assert main(["watch", str(finished.folder), f"out={page.parent}"]) == 0
    assert "http-equiv" not in page.read_text()
    assert [path.name for path in page.parent.iterdir()] == ["watch.html"]


def test_the_page_is_not_written_into_the_run(finished, capsys):
    before = state_of(finished.folder)
    assert main(["watch", str(finished.folder), f"out={finished.folder}/page"]) == 2
    assert "never writes" in capsys.readouterr().err
    assert main(["watch"]) == 2
    assert main(["watch", str(finished.folder / "samples")]) == 2
    assert state_of(finished.folder) == before


def test_an_interval_narrows_and_its_trail_stays_short(finished):
    watcher = RunWatch(finished.folder)
    (task, *_) = watcher.look().tasks
    row = task.rows[0]
    for samples in range(1, 10 * MOST_POINTS):
        estimate = replace(row.estimate, samples=samples)
        row = watcher._trailed(task.name, replace(row, estimate=estimate))
    assert len(row.trail) <= MOST_POINTS + 1
    assert row.trail[0] == Point.of(task.rows[0])
    assert row.trail[-1].samples == samples
    assert row_cells(task, row)[-1].startswith("was ± ")


def test_leases_are_read_as_they_lie(tmp_path):
    one, two = Leases(tmp_path, "a/b", 0.5), Leases(tmp_path, "2")
    assert leases_of(tmp_path) == beats_of(tmp_path) == []
    for lease in (one, two):
        lease.beat()
    assert one.claim("naming@.0")
    assert two.claim("naming@.1")
    two.finish("naming@.1")
    one.bury("a/b")
    assert two.claim("naming@.0")
    found = [(lease.key, lease.number, lease.owner, lease.done) for lease in leases_of(tmp_path)]
    assert found == [
        ("naming@.0", 1, one.owner, False),
        ("naming@.0", 2, two.owner, False),
        ("naming@.1", 1, None, True),
    ]
    assert {beat.worker: beat.session for beat in beats_of(tmp_path)} == {
        "a/b": "",
        "2": two.owner.session,
    }


def test_a_clock_is_read_at_once():
    assert [clock(value) for value in (0.4, 61.0, 3600.0)] == ["0 s", "1 min 1 s", "1 h 0 min"]
