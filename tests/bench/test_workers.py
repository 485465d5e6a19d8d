"""A run by several workers is the run of one, whoever dies, hangs, joins or leaves."""

import io
import os
import signal
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import psutil
import pytest
from crews import LIMIT, Forked, crew_on, killed, slow
from runner_world import Blocks, Hashing, OneBackbone, method, plain, plan_of

from frostbench.bench.cli.work import automatic
from frostbench.bench.runner.crew import Crew, CrewError
from frostbench.bench.runner.joining import join
from frostbench.bench.runner.mail import new_report
from frostbench.bench.runner.preflight import PreflightError
from frostbench.bench.runner.progress import Quiet
from frostbench.bench.runner.run import run
from frostbench.bench.runner.worker import Worker
from frostbench.bench.store.atomic import StoreError
from frostbench.bench.store.hardware import Hardware
from frostbench.bench.store.leases import Leases
from frostbench.bench.store.reader import read_records

SAME = ("metrics", "tasks", "methods", "backbones", "failures", "dashes", "status", "identity")


def quiet():
    return Quiet(io.StringIO())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return run(plan_of(folder / "run", folder / "tokens", limit=LIMIT), quiet())


def slow_plan(folder, **changes):
    return plan_of(folder / "run", folder / "tokens", limit=LIMIT, engine=Hashing(slow), **changes)


def same(stored, whole):
    assert plain(stored) == plain(whole)
    for name in SAME:
        assert getattr(stored.manifest, name) == getattr(whole.manifest, name), name


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_any_number_of_workers_gives_the_run_of_one(tmp_path, whole, workers):
    crew, _ = crew_on(lambda: slow_plan(tmp_path), workers)
    stored = run(slow_plan(tmp_path), quiet(), crew)
    same(stored, whole)
    assert stored.manifest.last_session.samples == len(whole.records())
    assert not (stored.folder / "leases").exists()
    assert not (stored.folder / "workers").exists()


def test_ten_methods_that_share_a_backbone_load_it_once_a_worker(tmp_path):
    class Counting(OneBackbone):
        def get(self, role):
            if role not in self.opened:
                with (tmp_path / "loads").open("a") as file:
                    file.write(f"{os.getpid()}\n")
            return super().get(role)

    def one(number):
        card = replace(Blocks.card, name=f"m{number}", backbones=("llm",))
        return method(type(f"M{number}", (Blocks,), {"card": card}))

    methods = tuple(one(number) for number in range(10))

    def plan():
        where = tmp_path / "run", tmp_path / "tokens"
        return plan_of(*where, limit=6, methods=methods, backbones=Counting(), engine=Hashing(slow))

    crew, started = crew_on(plan, 2)
    stored = run(plan(), quiet(), crew)
    assert len({record.method for record in stored.records()} - {None}) == 10
    loads = (tmp_path / "loads").read_text().split()
    assert set(loads) <= {str(one.pid) for one in started}
    assert len(loads) == len(set(loads))


def test_killed_workers_lose_and_double_nothing(tmp_path, whole):
    kills, lost, doubled = killed(tmp_path, 2, kills=3, seed=1)
    assert kills
    assert (lost, doubled) == (0, 0)
    stored = run(slow_plan(tmp_path), quiet())
    assert plain(stored) == plain(whole)
    assert any("what it was doing was done again" in note for note in stored.manifest.notes)


def test_a_worker_that_hangs_loses_its_chunk(tmp_path, whole):
    crew, started = crew_on(lambda: slow_plan(tmp_path, lease=0.5), 2)

    def hang():
        time.sleep(0.4)
        started[0].send(signal.SIGSTOP)
        while len(read_records(tmp_path / "run")) < len(whole.records()):
            time.sleep(0.1)
        started[0].kill()

    thread = threading.Thread(target=hang)
    thread.start()
    stored = run(slow_plan(tmp_path, lease=0.5), quiet(), crew)
    thread.join()
    assert plain(stored) == plain(whole)


def test_what_a_dead_worker_stored_and_did_not_finish_is_finished_by_who_knows_it(tmp_path, whole):
    """Or the task would end while another takes it for free, and writes it once more."""
    plan = slow_plan(tmp_path)
    manifest = whole.manifest.with_task("naming", complete=False)
    dead, leases = Leases(plan.out, "dead"), Leases(plan.out, "x")
    dead.beat()
    assert dead.claim("naming@.0")
    leases.bury("dead")
    leases.beat()
    desk = Listening()
    done = [record.key for record in whole.records()]
    worker = Worker(plan, manifest, done, leases, desk, new_report(leases, "cpu", Hardware()))
    worker.go()
    assert leases.state("naming@.0") == "done"
    assert desk.over == ["naming"]
    assert not worker.report.samples


class Listening:
    """A desk that keeps which tasks ended."""

    def __init__(self):
        self.over = []

    def begun(self, task): ...

    def told(self, report): ...

    def prompts(self, count): ...

    def wait(self):
        raise AssertionError("nobody else holds anything")

    def guilty(self):
        return {}

    def ended(self, task, samples, *, whole):
        self.over.append(task)


def test_workers_that_only_die_end_the_run_in_a_sentence(tmp_path):
    crew = Crew(["1", "2"], lambda name: Forked(lambda: os._exit(7)))
    with pytest.raises(CrewError, match="all workers died again and again, the last with exit cod"):
        run(slow_plan(tmp_path), quiet(), crew)


def test_what_cannot_work_is_refused_and_leaves_no_run(tmp_path):
    def broken():
        raise ValueError("no such model")

    def plan():
        methods = (method(Blocks, broken),)
        return slow_plan(tmp_path, methods=methods, replaced={"llm": "The pack has others."})

    plan_ = replace(plan(), methods=(method(replaced_blocks(), broken),))
    crew, _ = crew_on(lambda: plan_, 2)
    with pytest.raises(PreflightError, match="no such model"):
        run(plan_, quiet(), crew)
    assert {path.name for path in (tmp_path / "run").iterdir()} <= {"run.lock"}


def replaced_blocks():
    class Needy(Blocks):
        card = replace(Blocks.card, backbones=("llm",))

    return Needy


def test_a_worker_joins_a_run_that_is_at_work_and_another_number_goes_on(tmp_path, whole):
    joined: list[Forked] = []

    def come():
        while not (tmp_path / "run" / "workers" / "0.beat").exists():
            time.sleep(0.02)
        while not (tmp_path / "run" / "manifest.json").exists():
            time.sleep(0.02)
        joined.append(Forked(lambda: join(slow_plan(tmp_path), "guest")))

    thread = threading.Thread(target=come)
    thread.start()
    stored = run(slow_plan(tmp_path), quiet())
    thread.join()
    while joined[0].poll() is None:
        time.sleep(0.02)
    same(stored, whole)
    crew, _ = crew_on(lambda: slow_plan(tmp_path), 2)
    same(run(slow_plan(tmp_path), quiet(), crew), whole)


def test_nobody_joins_what_is_not_at_work_or_is_another_run(tmp_path, whole):
    with pytest.raises(StoreError, match="no run at"):
        join(slow_plan(tmp_path), "guest")
    with pytest.raises(StoreError, match=r"no process keeps the run .* \(it is finished\)"):
        join(replace(slow_plan(tmp_path), out=whole.folder), "guest")


def test_a_run_whose_workers_were_killed_with_it_goes_on_with_another_number(tmp_path, whole):
    def begin():
        os.setpgid(0, 0)
        crew, _ = crew_on(lambda: slow_plan(tmp_path), 3)
        run(slow_plan(tmp_path), quiet(), crew)

    child = Forked(begin)
    while not (tmp_path / "run" / "sealed").exists():
        time.sleep(0.02)
    os.killpg(child.pid, signal.SIGKILL)
    while child.poll() is None:
        time.sleep(0.02)
    kept = {record.key for record in read_records(tmp_path / "run")}
    assert kept
    stored = run(slow_plan(tmp_path), quiet())
    assert kept <= {record.key for record in stored.records()}
    assert plain(stored) == plain(whole)


def test_as_many_workers_start_as_there_are_threads_work_and_memory_for(tmp_path, monkeypatch):
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"\0")
    backbones = OneBackbone()
    backbones.entries["llm"].source = str(weights)
    short = plan_of(tmp_path / "run", tmp_path / "tokens", limit=2, backbones=backbones)
    long = replace(short, tasks=tuple(replace(one, limit=5000) for one in short.tasks))
    free = SimpleNamespace(available=9 << 30)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    assert automatic(short, 8, isolated=False) == 1
    assert automatic(long, 8, isolated=False) == 4
    assert automatic(long, 3, isolated=False) == 3
    assert automatic(long, 8, isolated=True) == 2
    free.available = 1
    assert automatic(long, 8, isolated=False) == 1
    assert automatic(replace(long, device="cuda"), 8, isolated=False) == 1
