"""Who starts the processes of a run changes none of its rows; and what nobody can start is said."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest
from crews import Forked
from light_plugin import pack, words
from runner_world import plain, plan_of, written

from frostbench.bench.cli import main
from frostbench.bench.cli.config import RunConfig, UsageError
from frostbench.bench.cli.keeping import seal_of, sees
from frostbench.bench.cli.on_ray import CONTEXT, RayNode, Share, share_of
from frostbench.bench.cli.ranks import ProcessRank, rank_of
from frostbench.bench.cli.run import planned
from frostbench.bench.cli.work import PROCESS, on_its_devices
from frostbench.bench.runner.crew import Crew
from frostbench.bench.runner.manifest import identity, new_manifest
from frostbench.bench.runner.memory import measured_bytes
from frostbench.bench.store.hardware import MethodMemory
from frostbench.bench.store.leases import Leases
from frostbench.bench.store.manifest import BackboneFacts
from frostbench.bench.store.reader import open_run
from frostbench.bench.store.writer import RunWriter
from frostbench.plugins.host.registry import Host

SAMPLES = ["limit=16", "chunk=2"]
SLURM = {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "1", "SLURM_NTASKS": "2"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = pack(tmp_path_factory.mktemp("whole") / "pack")
    assert main([*words(folder), *SAMPLES]) == 0
    return plain(open_run(folder.parent / "run"))


@pytest.fixture
def together(monkeypatch, tmp_path):
    """A method that works in two processes or in none; which they are is written down."""
    monkeypatch.setenv("SIN", "decode together")
    monkeypatch.setenv("WORKED", str(tmp_path / "worked"))


def same(folder, whole):
    stored = open_run(folder / "run")
    assert stored.manifest.status == "finished"
    assert plain(stored) == whole
    assert written(stored.folder) == len(whole)
    assert len(set((folder / "worked").read_text().split())) == 2


def test_two_processes_of_torchrun_share_a_run(tmp_path, whole, together):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*command, "-m", "frostbench", *words(pack(tmp_path / "pack")), *SAMPLES],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    same(tmp_path, whole)


def step(number, *command):
    """A process that srun has started as one of two."""

    def go():
        os.environ.update(SLURM, SLURM_PROCID=str(number), SLURM_LOCALID=str(number))
        code = main([*command])
        os._exit(code)

    return Forked(go)


def ended(process):
    while process.poll() is None:
        os.sched_yield()
    return process.code


def test_two_processes_of_slurm_share_a_run_and_the_second_may_be_the_earlier(
    tmp_path, whole, together
):
    command = [*words(pack(tmp_path / "pack")), *SAMPLES]
    second = step(1, *command)
    first = step(0, *command)
    assert (ended(first), ended(second)) == (0, 0)
    same(tmp_path, whole)
    # Who comes when all is done has nothing to do.
    assert ended(step(1, *command)) == 0


def test_who_waits_for_a_run_that_cannot_begin_is_told(tmp_path, capfd):
    command = words(pack(tmp_path / "pack"))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "samples").mkdir()
    (tmp_path / "run" / "samples" / "1.jsonl").write_text("{}\n")
    second = step(1, *command)
    first = step(0, *command)
    assert (ended(first), ended(second)) == (2, 2)
    said = capfd.readouterr().err
    assert "holds samples and no manifest.json" in said
    assert "the process of rank 0 ended before the run in" in said
    assert "began, and says why." in said


def test_ranks_are_those_of_the_launcher_that_started_more_than_one():
    torchrun = {"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4"}
    slurm = {**SLURM, "SLURM_PROCID": "1", "SLURM_LOCALID": "0"}
    batch = {name: value for name, value in slurm.items() if name != "SLURM_STEP_ID"}
    plain_run = RunConfig()
    assert rank_of(plain_run, {}) is None
    assert rank_of(plain_run, torchrun) == ProcessRank(3, 1, "torchrun")
    assert rank_of(plain_run, {**torchrun, "RANK": "0", "WORLD_SIZE": "1"}) is None
    assert rank_of(plain_run, slurm) == ProcessRank(1, 0, "slurm")
    assert rank_of(plain_run, {**slurm, **torchrun}) == ProcessRank(3, 1, "torchrun")
    assert rank_of(plain_run, {**slurm, "SLURM_STEP_NUM_TASKS": "1"}) is None
    assert rank_of(plain_run, batch) is None
    assert rank_of(RunConfig(launcher="local"), slurm) is None
    with pytest.raises(UsageError, match=r"SLURM_STEP_ID is not in the environment.*`srun frost"):
        rank_of(RunConfig(launcher="slurm"), batch)
    with pytest.raises(UsageError, match="in the environment: invalid literal"):
        rank_of(plain_run, {**torchrun, "RANK": "three"})


def test_every_process_has_its_own_card_and_the_first_shows_how_far_it_is(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    config = ProcessRank(3, 1, "torchrun").configured(RunConfig(device="cuda"))
    assert (config.device, config.devices, config.quiet) == ("cuda:1", ["cuda:1"], True)
    assert not ProcessRank(0, 0, "slurm").configured(RunConfig()).quiet
    with pytest.raises(ValueError, match="no device named 'cuda:2'"):
        ProcessRank(2, 2, "slurm").configured(RunConfig(device="cuda"))
    # Where Slurm binds a card to each task, a task sees no other.
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    assert ProcessRank(2, 2, "slurm").configured(RunConfig(device="cuda")).device == "cuda:0"
    for config in (RunConfig(workers="2"), RunConfig(device="cuda:1"), RunConfig(devices=["cpu"])):
        with pytest.raises(UsageError, match="torchrun says how many workers there are"):
            ProcessRank(0, 0, "torchrun").configured(config)


def test_the_device_of_a_run_is_of_the_kind_of_its_devices():
    assert on_its_devices(RunConfig(devices=["cuda:1", "cuda:0"])).device == "cuda:1"
    assert on_its_devices(RunConfig(device="cuda")).device == "cuda"
    with pytest.raises(UsageError, match="devices=cpu,cuda:0: the devices of a run are all of one"):
        on_its_devices(RunConfig(devices=["cpu", "cuda:0"]))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("launcher=rai", "no launcher named 'rai'; there are auto, local, ray, slurm, torchrun."),
        ("address=auto", "address=auto is that of a Ray cluster: add launcher=ray."),
        ("out=s3://bucket/run", "object stores do neither. Copy it there when it has ended."),
        ("launcher=ray", "launcher=ray needs Ray: pip install 'frostbench[ray]' adds it."),
        ("launcher=ray devices=cpu", "since Ray says which card a worker has"),
        ("launcher=ray device=cuda:1", "since Ray says which card a worker has"),
        ("launcher=torchrun", "`torchrun ... -m frostbench run`"),
    ],
)
def test_what_nobody_can_start_is_said_in_a_sentence(tmp_path, monkeypatch, capsys, given, said):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main([*words(pack(tmp_path / "pack")), *given.split()]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def measured(folder, device="cpu"):
    """A plan, whose run has measured what its two methods and their model take."""
    plan = replace(plan_of(folder / "run", folder / "tokens"), device=device)
    manifest = new_manifest(plan)
    manifest = manifest.with_method("fine", backbones=("llm",))
    weights = BackboneFacts("linear", "nowhere", "float16", 1 << 30, "0")
    memory = {"blocks": MethodMemory(1 << 30, 3 << 30), "fine": MethodMemory(2 << 30, 1 << 30)}
    manifest = replace(manifest, backbones={"llm": weights}, memory=memory)
    RunWriter(plan.out).write_manifest(manifest)
    return plan, manifest


def test_what_a_worker_takes_is_what_was_measured(tmp_path):
    plan, manifest = measured(tmp_path)
    assert measured_bytes(manifest, together=True) == (2 + 1 + 2 + 3) << 30
    assert measured_bytes(manifest, together=False) == (2 + 1 + 3) << 30
    assert measured_bytes(replace(manifest, memory={}), together=True) is None
    nodes = [RayNode("a", "a", 8, 0, 4 << 30), RayNode("b", "b", 8, 0, 21 << 30)]
    share = share_of(RunConfig(), plan, nodes)
    assert share == Share(8, 0, (8 << 30) + PROCESS, 8)
    assert [share.fits(node) for node in nodes] == [0, 1]
    share = share_of(RunConfig(workers="4"), plan, nodes)
    assert (share.cores, [share.fits(node) for node in nodes]) == (4, [0, 2])
    assert share_of(RunConfig(workers="4", memory="6GiB"), plan, nodes).memory == 3 << 30
    # What files tell is a guess, and keeps nobody out.
    begun = replace(plan, out=tmp_path / "other")
    assert share_of(RunConfig(), begun, nodes).memory == PROCESS
    assert share_of(RunConfig(), begun, [RayNode("c", "c", 1, 0, 1 << 30)]).memory == 1 << 30


def test_a_worker_on_a_card_has_all_of_it_and_none_that_is_too_small(tmp_path):
    plan, _ = measured(tmp_path, "cuda")
    needed = (6 << 30) + CONTEXT
    nodes = [
        RayNode("small", "a", 8, 4, 64 << 30, needed - 1),
        RayNode("large", "b", 8, 2, 64 << 30, needed),
        RayNode("untold", "c", 16, 4, 64 << 30),
    ]
    share = share_of(RunConfig(), plan, nodes)
    assert share == Share(1, 1, PROCESS, 2, ("small",))
    assert [share.fits(node) for node in nodes] == [0, 2, 4]
    assert share.options()["label_selector"] == {"ray.io/node-id": "!in(small)"}
    assert share_of(RunConfig(isolate=True), plan, nodes).options()["label_selector"] is None


def test_who_keeps_a_run_on_ray_needs_no_card_and_plans_what_its_workers_do():
    host, chosen = Host(), {"methods": ["vqgan"], "tasks": ["reconstruction"]}
    kept = planned(RunConfig(launcher="ray", device="cuda", **chosen), host)
    here = planned(RunConfig(**chosen), host)
    assert kept.config["device"] == "cuda"
    assert identity(kept) == {**identity(here), "device": "cuda"}


def test_a_run_is_known_by_its_seal_wherever_it_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr("frostbench.bench.cli.keeping.APPEARING", 0.0)
    plan, manifest = measured(tmp_path)
    seal = seal_of(str(plan.out))
    RunWriter(plan.out).write_manifest(replace(manifest, seconds=3.0, memory={}))
    assert sees(str(plan.out), seal)
    assert not sees(str(tmp_path), seal)
    RunWriter(plan.out).write_manifest(replace(manifest, created="another day"))
    assert not sees(str(plan.out), seal)


class Waiting:
    """A process for which there is no place."""

    def __init__(self):
        self.killed = False

    def poll(self):
        return None

    def terminate(self): ...

    def kill(self):
        self.killed = True

    def queued(self):
        return True

    def how(self):
        return "of nothing"


def test_nobody_waits_for_a_worker_without_a_place_when_all_is_done(tmp_path):
    waiting = Waiting()
    crew = Crew(["1"], lambda name: waiting)
    leases = Leases(tmp_path, "0")
    crew.start()
    assert crew.look(0, set(), leases)
    assert not crew.look(0, {"2"}, leases)
    assert waiting.killed
