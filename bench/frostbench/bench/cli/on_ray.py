"""`launcher=ray`: the workers of a run on a Ray cluster, each kept by an actor on some node.

An actor starts the same process that `frostbench run` starts on its own machine, and reserves what
it needs of the node: cores, bytes of memory, and a whole card. Cards are not divided, since Ray
counts fractions of them and limits no memory by that.
"""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from frostbench.bench.cli.config import RunConfig, UsageError, bytes_of
from frostbench.bench.cli.keeping import APPEARING, Keeper, Order, cards_here, seal_of, sees
from frostbench.bench.cli.work import PROCESS, enough, estimated_bytes, number_of, words_of_worker
from frostbench.bench.runner.crew import Crew, how_it_ended
from frostbench.bench.runner.memory import measured_bytes
from frostbench.bench.runner.plan import Plan
from frostbench.bench.runner.preflight import PreflightError
from frostbench.bench.store.atomic import StoreError
from frostbench.bench.store.reader import read_manifest

CONTEXT = 500 << 20  # bytes of a card that a process takes before it computes anything
REACH = 10.0  # seconds in which an existing cluster accepts a connection
ANSWER = 120.0  # seconds in which Ray starts a process on an existing node


@dataclass(frozen=True)
class RayNode:
    """A node of the cluster: Ray's id, its name, and the resources that Ray offers there.

    `smallest` is the memory of its smallest card, where the driver tells.
    """

    id: str
    name: str
    cores: int
    cards: int
    memory: int
    smallest: int | None = None


@dataclass(frozen=True)
class Share:
    """What every worker takes from a node, in cores, cards and bytes of memory.

    No worker is placed on the nodes that are left out; `threads` are those of its process.
    """

    cores: int
    cards: int
    memory: int
    threads: int
    left_out: tuple[str, ...] = ()

    def fits(self, node: RayNode) -> int:
        """How many workers fit on a node."""
        if node.id in self.left_out:
            return 0
        rooms = (node.cores, self.cores), (node.cards, self.cards), (node.memory, self.memory)
        return min(has // takes for has, takes in rooms if takes)

    def options(self) -> dict[str, Any]:
        """The same as options of a Ray actor."""
        left_out = {"ray.io/node-id": f"!in({','.join(self.left_out)})"}
        return {
            "num_cpus": self.cores,
            "num_gpus": self.cards,
            "memory": self.memory,
            "label_selector": left_out if self.left_out else None,
            "scheduling_strategy": "SPREAD",
            "max_restarts": 0,  # the crew starts it again, and frees its leases
            "max_concurrency": 2,  # it can be asked to end while it works
        }


class RayProcess:
    """A worker held by an actor, as the crew sees it."""

    def __init__(self, ray: Any, actor: Any) -> None:
        self._ray = ray
        self._actor = actor
        self._placed = actor.placed.remote()
        self._work = actor.work.remote()
        self._code: int | None = None
        self._how = ""

    def poll(self) -> int | None:
        """Its exit code; that of a killed process where its actor or node died."""
        if self._code is None and self._is_there(self._work):
            try:
                self._code = int(self._ray.get(self._work))
                self._how = how_it_ended(self._code)
            except self._ray.exceptions.RayTaskError as error:
                self._code, self._how = 1, f"before it began: {error.cause}"
            except self._ray.exceptions.RayError:
                self._code = -signal.SIGKILL
                self._how = "with the actor or the node of Ray that kept it"
            self.kill()  # frees its resources for the next
        return self._code

    def queued(self) -> bool:
        """Whether it still waits for a place."""
        return self._code is None and not self._is_there(self._placed)

    def how(self) -> str:
        """How it ended."""
        return self._how

    def terminate(self) -> None:
        """Ask the process to end."""
        if self.queued():
            self.kill()
        else:
            self._actor.end.remote()

    def kill(self) -> None:
        """End the actor, and its process with it."""
        self._ray.kill(self._actor, no_restart=True)

    def _is_there(self, answer: Any) -> bool:
        return bool(self._ray.wait([answer], timeout=0)[0])


@contextmanager
def ray_crew(config: RunConfig, plan: Plan, note: Callable[[str], None]) -> Iterator[Crew]:
    """The workers of a run on the cluster at an address, or on the one that Ray finds or begins.

    Raises:
        UsageError: Ray is not installed or not reached, or the cluster has no place for a worker.
    """
    if config.devices or config.device not in ("cpu", "cuda"):
        raise UsageError(
            "launcher=ray takes device=cpu or device=cuda, since Ray says which card a worker has; "
            "write workers=N for so many of them."
        )
    asked = number_of(config)
    with _connected(config.address) as ray:
        nodes = nodes_of(ray, plan.device)
        share = share_of(config, plan, nodes)
        room = sum(map(share.fits, nodes))
        number = asked or min(room, enough(plan))
        if not number:
            raise UsageError(f"no node of the Ray cluster has {_said(share)}, as a worker takes.")
        folder = os.path.abspath(config.out)

        def ready() -> None:
            look_at_folder(ray, [node for node in nodes if share.fits(node)], folder)
            where = ray.get_runtime_context().gcs_address
            wait = f", and room for {room} now: others wait" if room < number else ""
            note(f"Ray at {where}: workers={number}, each with {_said(share)}{wait}.")

        def launch(name: str) -> RayProcess:
            now = share_of(config, plan, nodes)  # by what the run has measured so far
            most = max((node.memory for node in nodes), default=now.memory)
            now = replace(now, threads=share.threads, memory=min(now.memory, most))
            words = words_of_worker(config, name, now.threads, _words(config, plan, nodes))
            order = Order(folder, seal_of(folder), name, words, now.threads, os.getcwd())
            return RayProcess(ray, ray.remote(Keeper).options(**now.options()).remote(order))

        yield Crew([str(one) for one in range(1, number + 1)], launch, ready)


def share_of(config: RunConfig, plan: Plan, nodes: Sequence[RayNode]) -> Share:
    """What each worker takes: what was measured of the run, and before that what files tell.

    With cards, a worker takes one card, and nodes are left out whose cards are too small for the
    largest method. On CPUs it takes memory for all methods together, and an equal share of a node's
    cores.
    """
    measured = None if config.isolate else _measured(plan, together=not _on_cards(plan))
    if _on_cards(plan):
        needed = 0 if measured is None else measured + CONTEXT
        small = tuple(one.id for one in nodes if one.smallest is not None and one.smallest < needed)
        threads = min((node.cores // node.cards for node in nodes), default=1)
        return Share(1, 1, PROCESS, max(1, threads), small)
    each = _each(config, nodes)
    cores = max(1, min((node.cores // each for node in nodes), default=1))
    if config.memory:
        memory = bytes_of("memory", config.memory) // each
    elif measured is None:
        guess = estimated_bytes(plan, isolated=config.isolate)
        memory = min([guess, max((node.memory for node in nodes), default=guess)])
    else:
        memory = measured + PROCESS
    return Share(cores, 0, memory, cores)


def nodes_of(ray: Any, device: str) -> list[RayNode]:
    """The nodes of a cluster that have what a worker on a device needs."""
    alive = [node for node in ray.nodes() if node["Alive"]]
    has = [node["Resources"] for node in alive]
    found = [
        RayNode(
            node["NodeID"],
            node["NodeManagerHostname"],
            int(one.get("CPU", 0)),
            int(one.get("GPU", 0)),
            int(one.get("memory", 0)),
        )
        for node, one in zip(alive, has, strict=True)
    ]
    if device.partition(":")[0] == "cpu":
        return [node for node in found if node.cores]
    found = [node for node in found if node.cores and node.cards]
    sizes = _on_each(ray, found, cards_here)
    return [
        replace(node, smallest=min(size, default=None))
        for node, size in zip(found, sizes, strict=True)
    ]


def look_at_folder(ray: Any, nodes: Sequence[RayNode], folder: str) -> None:
    """Check that the run's folder is the same on all nodes.

    Raises:
        PreflightError: it is missing or different on a node.
    """
    seen = _on_each(ray, nodes, sees, folder, seal_of(folder))
    blind = sorted({node.name for node, one in zip(nodes, seen, strict=True) if not one})
    if blind:
        raise PreflightError(
            f"{', '.join(blind)} of the Ray cluster cannot see the run in {folder}: launcher=ray "
            "needs a folder that all nodes share, such as one on NFS, under one path; name it with "
            "out=."
        )


def _on_each(
    ray: Any, nodes: Sequence[RayNode], call: Callable[..., Any], *arguments: Any
) -> list[Any]:
    """The results of a function on each node.

    Raises:
        UsageError: it cannot be called on one.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    there = [NodeAffinitySchedulingStrategy(node.id, soft=False) for node in nodes]
    asked = [
        ray.remote(call).options(num_cpus=0, scheduling_strategy=one).remote(*arguments)
        for one in there
    ]
    said = []
    for node, answer in zip(nodes, asked, strict=True):
        try:
            said.append(ray.get(answer, timeout=APPEARING + ANSWER))
        except ray.exceptions.RayError as error:
            why = str(getattr(error, "cause", None) or error).strip().partition("\n")[0]
            raise UsageError(
                f"the node {node.name} of the Ray cluster cannot do a worker's part ({why}); each "
                "node needs this frostbench, in the Python that Ray uses there."
            ) from error
    return said


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """Ray, connected to the cluster at an address until this is over.

    Without an address it is the cluster that `ray.init()` finds: that of RAY_ADDRESS, else one
    that runs on this machine, else one of this machine alone, which begins and ends with the run.
    """
    try:
        import ray
    except ImportError:
        raise UsageError("launcher=ray needs Ray: pip install 'frostbench[ray]' adds it.") from None
    mine = not ray.is_initialized()
    if mine:
        _reach(address)
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # our cluster sends no statistics
        before = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(address=address or None, logging_level="warning", log_to_driver=False)
        except (ConnectionError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
            raise UsageError(f"no Ray cluster at {address or 'hand'}: {error}") from error
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, before)  # ends a run as always
    try:
        yield ray
    finally:
        if mine:
            ray.shutdown()


def _reach(address: str) -> None:
    """Check that an address accepts connections, which Ray itself would try for minutes.

    Raises:
        UsageError: it does not, or it is that of Ray's client.
    """
    if address.startswith("ray://"):
        raise UsageError(
            f"address={address}: a run keeps its folder itself, so that its command is given on a "
            "machine of the cluster (`ray job submit` does), with no address or HOST:PORT."
        )
    host, _, port = address.rpartition(":")
    if host and "/" not in host and port.isdecimal():
        try:
            socket.create_connection((host, int(port)), timeout=REACH).close()
        except (OSError, OverflowError) as error:
            raise UsageError(f"nobody listens at address={address} ({error}).") from error


def _on_cards(plan: Plan) -> bool:
    return plan.device.partition(":")[0] != "cpu"


def _each(config: RunConfig, nodes: Sequence[RayNode]) -> int:
    """How many workers share a node, at most."""
    return -(-(number_of(config) or 1) // max(1, len(nodes)))


def _measured(plan: Plan, *, together: bool) -> int | None:
    try:
        return measured_bytes(read_manifest(plan.out), together=together)
    except StoreError:  # it begins
        return None


def _words(config: RunConfig, plan: Plan, nodes: Sequence[RayNode]) -> list[str]:
    """A worker's words about its device."""
    words = [f"device={plan.device.partition(':')[0]}"]
    if config.memory:
        most = bytes_of("memory", config.memory)
        words.append(f"memory={most if _on_cards(plan) else most // _each(config, nodes)}")
    return words


def _said(share: Share) -> str:
    card = f"{share.cards} card, " if share.cards else ""
    return f"{card}{share.cores} cores and {share.memory / 2**30:.1f} GiB of memory"
