"""A run on a Ray cluster is the run of one process, whichever node dies: `make test-ray`."""

import os
import subprocess
import sys
import time

import pytest
from light_plugin import pack, words
from runner_world import plain, written

from frostbench.bench.cli import main
from frostbench.bench.store.reader import open_run, read_records

# Ray's own processes and files are closed when it sees fit.
pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("ignore")]

SAMPLES = ["limit=60", "chunk=4"]


@pytest.fixture
def nodes(monkeypatch, tmp_path):
    """Begins a cluster on this machine, with a node for each mapping of what it has."""
    from ray.cluster_utils import Cluster

    made = []
    monkeypatch.setenv("SIN", "decode slow")
    monkeypatch.setenv("WORKED", str(tmp_path / "worked"))
    (tmp_path / "worked").touch()

    def begin(*each):
        made.append(Cluster(initialize_head=True, head_node_args=each[0]))
        return made[0], [made[0].add_node(**one) for one in each[1:]]

    yield begin
    for cluster in made:
        cluster.shutdown()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = pack(tmp_path_factory.mktemp("whole") / "pack")
    assert main([*words(folder), *SAMPLES]) == 0
    return plain(open_run(folder.parent / "run"))


def started(cluster, folder, *more, **options):
    command = [*words(folder), *SAMPLES, "launcher=ray", f"address={cluster.address}", *more]
    return subprocess.Popen(
        [sys.executable, "-m", "frostbench", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def workers(folder):
    """The processes that have worked until now."""
    return set((folder.parent / "worked").read_text().split())


def wait(until, child):
    given_up = time.monotonic() + 120
    while not until():
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < given_up
        time.sleep(0.05)


def test_a_node_that_is_killed_loses_and_doubles_nothing(nodes, whole, tmp_path):
    cluster, (_, third) = nodes({"num_cpus": 1}, {"num_cpus": 1}, {"num_cpus": 1})
    folder = pack(tmp_path / "pack")
    child = started(cluster, folder, "workers=3")
    wait(lambda: len(workers(folder)) == 3, child)
    wait(lambda: len(read_records(tmp_path / "run")) > 8, child)
    before = {record.key for record in read_records(tmp_path / "run")}
    cluster.remove_node(third, allow_graceful=False)
    _, err = child.communicate(timeout=240)
    assert child.returncode == 0, err
    stored = open_run(tmp_path / "run")
    assert len(before) < len(whole)
    assert before <= {record.key for record in stored.records()}
    assert plain(stored) == whole
    assert written(stored.folder) == len(whole)
    (note,) = stored.manifest.notes
    assert "died 1 times before its work was done, the last time with the actor or the node" in note


def test_a_worker_comes_to_a_node_with_memory_for_it_and_the_others_wait(nodes, whole, tmp_path):
    cluster, _ = nodes({"num_cpus": 0}, {"num_cpus": 1, "memory": 1 << 30}, {"num_cpus": 1})
    folder = pack(tmp_path / "pack")
    child = started(cluster, folder, "workers=2")
    _, err = child.communicate(timeout=240)
    assert child.returncode == 0, err
    assert "workers=2, each with 1 cores and 2.0 GiB of memory, and room for 1 now" in err
    assert len(workers(folder)) == 1
    assert plain(open_run(tmp_path / "run")) == whole


def test_a_worker_that_is_killed_is_started_again(nodes, whole, tmp_path):
    cluster, _ = nodes({"num_cpus": 1})
    folder = pack(tmp_path / "pack")
    child = started(cluster, folder)
    wait(lambda: workers(folder) and read_records(tmp_path / "run"), child)
    (first,) = workers(folder)
    os.kill(int(first), 9)
    _, err = child.communicate(timeout=240)
    assert child.returncode == 0, err
    stored = open_run(tmp_path / "run")
    assert plain(stored) == whole
    assert written(stored.folder) == len(whole)
    assert len(workers(folder)) == 2
    assert "exit code 137" in stored.manifest.notes[0] or "SIGKILL" in stored.manifest.notes[0]


def test_a_folder_that_nodes_do_not_share_is_refused_before_anything_is_run(nodes, tmp_path):
    cluster, _ = nodes({"num_cpus": 1})
    folder = pack(tmp_path / "pack")
    own = tmp_path / "own"
    own.mkdir()
    # Every process has another folder behind this path.
    child = started(cluster, folder, "out=/proc/self/cwd/run", cwd=own)
    _, err = child.communicate(timeout=240)
    assert child.returncode == 2
    (said,) = [line for line in err.splitlines() if line.startswith("frostbench: ")]
    assert "of the Ray cluster cannot see the run in /proc/self/cwd/run: launcher=ray needs" in said
    assert not workers(folder)
    assert not (own / "run" / "manifest.json").exists()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("127.0.0.1:1", "nobody listens at address=127.0.0.1:1 ([Errno 111] Connection refused)."),
        ("ray://127.0.0.1:10001", "its command is given on a machine of the cluster (`ray job"),
        ("nonsense", "no Ray cluster at nonsense: Invalid address format: nonsense"),
    ],
)
def test_an_address_where_no_cluster_is_ends_in_a_sentence(tmp_path, capsys, address, said):
    command = [*words(pack(tmp_path / "pack")), "launcher=ray", f"address={address}"]
    assert main(command) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_nodes_that_are_left_out_get_no_worker_and_a_card_is_taken_whole(nodes):
    import ray

    from frostbench.bench.cli.on_ray import Share, nodes_of

    cluster, (second, third) = nodes({"num_cpus": 1}, *[{"num_cpus": 2, "num_gpus": 1}] * 2)

    class Where:
        def placed(self):
            import ray

            return ray.get_runtime_context().get_node_id()

    ray.init(address=cluster.address, log_to_driver=False)
    try:
        found = nodes_of(ray, "cuda")
        assert {one.id for one in found} == {second.node_id, third.node_id}
        share = Share(1, 1, 1 << 30, 1, (second.node_id,))
        assert [share.fits(one) for one in found] == [one.id == third.node_id for one in found]
        kept = [ray.remote(Where).options(**share.options()).remote() for _ in range(2)]
        done, queued = ray.wait([one.placed.remote() for one in kept], timeout=20)
        assert ray.get(done) == [third.node_id]
        assert len(queued) == 1
    finally:
        ray.shutdown()


def test_a_machine_that_joins_later_and_does_not_see_the_run_says_so(nodes, tmp_path):
    import ray

    from frostbench.bench.cli.keeping import Keeper, Order
    from frostbench.bench.cli.on_ray import RayProcess

    cluster, _ = nodes({"num_cpus": 1})
    ray.init(address=cluster.address, log_to_driver=False)
    try:
        order = Order(str(tmp_path / "run"), "seal", "1", [], 1, str(tmp_path))
        process = RayProcess(ray, ray.remote(Keeper).remote(order))
        while process.poll() is None:
            time.sleep(0.1)
        assert process.poll() == 1
        assert "does not see the run in" in process.how()
    finally:
        ray.shutdown()
