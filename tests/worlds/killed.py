"""Kills runs between two system calls, and at random moments, and resumes them.

    python tests/worlds/killed.py FOLDER [--growth 3] [--random 0]

Every call that changes the disk is counted in a forked child, which kills itself with SIGKILL
before (or, for a write, in the middle of) its n-th. From one n to the next it is a step, which
grows each time; `--growth 0` takes every call. Random moments lie within the time that a whole run
takes. Prints one JSON object.
"""

import argparse
import io
import json
import os
import random
import shutil
import signal
import time
from pathlib import Path

import torch
from runner_world import plain, plan_of, written

from frostbench.bench.runner.progress import Quiet
from frostbench.bench.runner.run import run
from frostbench.bench.store.lines import append_lines
from frostbench.bench.store.reader import read_records

LIMIT = 4


class Countdown:
    def __init__(self, left: int) -> None:
        self.left = left

    def tick(self) -> bool:
        self.left -= 1
        return self.left == 0

    def install(self) -> None:
        for name in ("fsync", "sync", "replace", "truncate", "ftruncate", "open", "mkdir"):
            setattr(os, name, self._dying(getattr(os, name)))
        import frostbench.bench.store.writer as writer

        writer.append_lines = self._torn

    def _dying(self, call):
        def before(*arguments, **named):
            if self.tick():
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **named)

        return before

    def _torn(self, path, records) -> None:
        if self.tick():
            append_lines(path.with_name("whole"), records)
            content = path.with_name("whole").read_bytes()
            path.with_name("whole").unlink()
            with path.open("ab") as file:
                file.write(content[: len(content) * 2 // 3])
            os.kill(os.getpid(), signal.SIGKILL)
        append_lines(path, records)


def go(folder: Path, kill_at: int, after: float | None = None) -> bool:
    """Run in a child that dies at its `kill_at`-th call, or after seconds; whether it ended."""
    child = os.fork()
    if child == 0:
        if after is not None:
            signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
            signal.setitimer(signal.ITIMER_REAL, max(after, 1e-4))
        if kill_at:
            Countdown(kill_at).install()
        run(plan_of(folder / "run", folder / "tokens", limit=LIMIT), Quiet(io.StringIO()))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, status
    return not os.WIFSIGNALED(status)


def content(folder: Path) -> str:
    lines = plain_of(folder)
    return json.dumps(lines, sort_keys=True)


def plain_of(folder: Path):
    from frostbench.bench.store.reader import open_run

    return plain(open_run(folder / "run"))


def stored(folder: Path) -> set[str]:
    return {repr(record.key) for record in read_records(folder / "run")}


class Tally:
    """What kills led to, held against an uninterrupted run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        begun = time.perf_counter()
        assert go(folder / "whole", 0)
        self.seconds = time.perf_counter() - begun
        self.whole = content(folder / "whole")
        self.equal: list[bool] = []
        self.lost = self.doubled = 0

    def resumed(self, place: Path, kill_at: int) -> None:
        """Kill a run that was killed once more while it resumes, then leave it alone."""
        before = stored(place)
        go(place, kill_at)
        self.lost += len(before - stored(place))
        assert go(place, 0)
        self.doubled += written(place / "run") - len(stored(place))
        self.end(place)

    def end(self, place: Path) -> None:
        """Compare."""
        self.equal.append(content(place) == self.whole)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--growth", type=int, default=3)
    parser.add_argument("--random", type=int, default=0, help="kills at random moments")
    options = parser.parse_args()
    torch.set_num_threads(1)
    tally = Tally(options.folder)
    calls, step = 1, 1
    while True:
        place = options.folder / str(calls)
        if go(place, calls):
            break
        tally.resumed(place, calls % 7 + 1)
        calls += step
        step += options.growth
    draw = random.Random(0)
    for number in range(options.random):
        place = options.folder / f"random {number}"
        while go(place, 0, after=draw.random() * tally.seconds):
            shutil.rmtree(place)  # it was done before
        tally.resumed(place, number % 7 + 1)
    again = options.folder / "again and again"
    deaths = 0
    while not go(again, 60):
        deaths += 1
    tally.end(again)
    print(
        json.dumps(
            {
                "kills": len(tally.equal),
                "equal": sum(tally.equal),
                "lost": tally.lost,
                "doubled": tally.doubled,
                "deaths": deaths,
            }
        )
    )


if __name__ == "__main__":
    main()
