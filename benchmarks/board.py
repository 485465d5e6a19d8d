"""How long a large leaderboard takes to read, rank, write, and open in a browser.

    python benchmarks/board.py [--methods 100] [--tasks 60] [--samples 8] [--repeats 1]

Makes a run of invented scores, then prints a JSON object for each step: seconds and the peak of
memory. The last step takes a `chromium` on PATH, and is left out without one.
"""

import argparse
import json
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np

from frostbench.bench.leaderboard import build, write
from frostbench.bench.store.manifest import (
    ControlEntry,
    Manifest,
    MethodEntry,
    MetricEntry,
    PackEntry,
    TaskEntry,
)
from frostbench.bench.store.reader import open_run
from frostbench.bench.store.records import Record, StoredCost
from frostbench.bench.store.writer import RunWriter

T = TypeVar("T")
SUITES = ("understanding", "restoration", "grounding", "detection")


def made(folder: Path, methods: int, tasks: int, samples: int) -> int:
    """Write a run; how many records it has."""
    names = [f"method-{number:03}" for number in range(methods)]
    entries = [
        TaskEntry(
            name=f"task-{number:03}",
            suite=SUITES[number % len(SUITES)],
            metrics=("score",),
            ranks_by="score",
            controls={"chance": ControlEntry("a guess")},
            complete=True,
        )
        for number in range(tasks)
    ]
    writer = RunWriter(folder)
    writer.write_manifest(
        Manifest(
            frostbench="0",
            status="finished",
            pack=PackEntry("invented", "scores that nobody reached", "0" * 64),
            methods={name: MethodEntry(title=name) for name in names},
            tasks={entry.name: entry for entry in entries},
            metrics={"score": MetricEntry("score", "", 0.0, 1.0)},
        )
    )
    count = 0
    for entry in entries:
        records = list(_records(entry, names, samples))
        count += len(records)
        writer.append(records)
        writer.seal(entry.name, None, sorted({record.sample for record in records}))
    return count


def _records(task: TaskEntry, names: list[str], samples: int) -> Iterator[Record]:
    generator = np.random.default_rng(int(task.name[-3:]))
    hard = generator.uniform(size=samples)
    for row, (method, control) in enumerate([*((name, None) for name in names), (None, "chance")]):
        skill = (row * 37 % len(names)) / len(names) if method else 0.0
        scores = np.clip(0.5 * skill + 0.3 * hard + generator.normal(0, 0.1, samples), 0, 1)
        for number, score in enumerate(scores.tolist()):
            yield Record(
                suite=task.suite,
                task=task.name,
                protocol=None,
                method=method,
                control=control,
                sample=f"{number:06}",
                cluster=f"{number // 2:06}",
                status="scored",
                scores={"score": score},
                cost=StoredCost(0.01 * (1 + row % 9)),
            )


def timed(step: str, call: Callable[[], T]) -> T:
    """What the call returns; its time and the process's peak of memory so far are printed."""
    begun = time.perf_counter()
    found = call()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    seconds = round(time.perf_counter() - begun, 2)
    print(json.dumps({"step": step, "seconds": seconds, "peak_mb": peak}), flush=True)
    return found


def opened(page: Path) -> None:
    """Open a page in a browser without a window, until it has been drawn."""
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    subprocess.run([*command, page.as_uri()], check=True, capture_output=True)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--methods", type=int, default=100)
    parser.add_argument("--tasks", type=int, default=60)
    parser.add_argument("--samples", type=int, default=8)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        run, board = Path(scratch) / "run", Path(scratch) / "board"
        asked = given.methods, given.tasks, given.samples
        count = timed("make the run", lambda: made(run, *asked))
        stored = open_run(run)
        timed(f"read {count} records", stored.records)
        found = timed("values, intervals, ranks, verdicts", lambda: build([stored]))
        timed("write pages, plots and data", lambda: write(found, [stored], board))
        pages = sorted(board.glob("*.html"), key=lambda path: path.stat().st_size)
        sizes = {path.name: path.stat().st_size for path in (board / "index.html", pages[-1])}
        print(json.dumps({"bytes": sizes}))
        if shutil.which("chromium"):
            timed("open index.html", lambda: opened(board / "index.html"))


if __name__ == "__main__":
    main()
