"""Kills runs between two system calls, and resumes them. Run as a script: killed.py FOLDER.

Every call that changes the disk is counted in a forked child, which kills itself with SIGKILL
before (or, for a write, in the middle of) its n-th. Prints one JSON object.
"""

import io
import json
import os
import signal
import sys
from pathlib import Path

import torch
from runner_world import plain, plan_of

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


def go(folder: Path, kill_at: int) -> bool:
    """Run in a child that dies at its `kill_at`-th call; whether it came to its end."""
    child = os.fork()
    if child == 0:
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


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    assert go(folder / "whole", 0)
    whole = content(folder / "whole")
    calls, step, equal, lost = 1, 1, [], 0
    while True:
        place = folder / str(calls)
        if go(place, calls):
            break
        before = stored(place)
        # Killed a second time while it resumes, then left alone.
        go(place, calls % 7 + 1)
        lost += len(before - stored(place))
        assert go(place, 0)
        equal.append(content(place) == whole)
        calls += step
        step += 3
    again = folder / "again and again"
    deaths = 0
    while not go(again, 60):
        deaths += 1
    equal.append(content(again) == whole)
    print(json.dumps({"kills": len(equal), "equal": sum(equal), "lost": lost, "deaths": deaths}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
