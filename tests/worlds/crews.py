"""Runs with several workers, which are forked and killed at random moments.

    python tests/worlds/crews.py FOLDER [--kills 300] [--workers 3]

Prints one JSON object: kills, how many runs were equal to that of one process, samples lost and
stored twice.
"""

import argparse
import io
import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch
from runner_world import Hashing, plain, plan_of, written

from frostbench.bench.runner.crew import Crew
from frostbench.bench.runner.joining import join
from frostbench.bench.runner.plan import Plan
from frostbench.bench.runner.progress import Quiet
from frostbench.bench.runner.run import run
from frostbench.bench.store.reader import open_run, read_records

LIMIT = 14
PAUSE = 0.01  # seconds that the engine takes


class Forked:
    """A process as `subprocess.Popen` is one, that calls a function."""

    def __init__(self, call: Callable[[], object]) -> None:
        self.code: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                call()
                code = 0
            finally:
                os._exit(code)

    def poll(self) -> int | None:
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def terminate(self) -> None:
        self.send(signal.SIGTERM)

    def kill(self) -> None:
        self.send(signal.SIGKILL)

    def send(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)


def crew_on(plan: Callable[[], Plan], workers: int) -> tuple[Crew, list]:
    """Workers that make their own plan, and all processes that were ever started."""
    started: list[Forked] = []

    def launch(name: str) -> Forked:
        started.append(Forked(lambda: join(plan(), name)))
        return started[-1]

    return Crew([str(n) for n in range(1, workers + 1)], launch), started


def slow() -> None:
    time.sleep(PAUSE)


def killed(folder: Path, workers: int, kills: int, seed: int) -> tuple[int, int, int]:
    """One run in which workers are killed: kills, samples lost, samples stored twice."""
    draw = random.Random(seed)
    where = folder / "run", folder / "tokens"
    crew, started = crew_on(
        lambda: plan_of(*where, limit=LIMIT, engine=Hashing(slow), lease=2.0), workers
    )
    over = threading.Event()
    done = [0]
    lost: set[str] = set()

    def kill() -> None:
        while done[0] < kills and not over.wait(0.1 + 0.9 * draw.random()):
            alive = [one for one in list(started) if one.code is None]
            if alive:
                seen = {repr(record.key) for record in read_records(where[0])}
                lost.update(before - seen)
                before.update(seen)
                draw.choice(alive).kill()
                done[0] += 1

    before: set[str] = set()
    thread = threading.Thread(target=kill)
    thread.start()
    try:
        stored = run(plan_of(*where, limit=LIMIT, lease=2.0), Quiet(io.StringIO()), crew)
    finally:
        over.set()
        thread.join()
    assert stored.manifest.status == "finished"
    return done[0], len(lost), written(where[0]) - len(stored.records())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--workers", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    whole = run(plan_of(options.folder / "whole", options.folder / "t", limit=LIMIT), Quiet())
    seen = {"kills": 0, "runs": 0, "equal": 0, "lost": 0, "doubled": 0}
    while seen["kills"] < options.kills:
        place = options.folder / str(seen["runs"])
        kills, lost, doubled = killed(place, options.workers, 12, seen["runs"])
        seen["kills"] += kills
        seen["runs"] += 1
        seen["lost"] += lost
        seen["doubled"] += doubled
        seen["equal"] += plain(open_run(place / "run")) == plain(whole)
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
