"""What it costs to run each method in a process of its own: seconds and memory, as ratios.

    python benchmarks/isolation.py [WORDS OF `frostbench run`]

does what `frostbench run WORDS` does three times, in folders that are thrown away: once so that
everything is imported, then with `isolate=false` and with `isolate=true`. Starting is building the
methods, with their processes and the backbones in these; work is all chunks. Seconds are those of
the clock and, in brackets, of the processors, which what else runs on a machine changes less.
Memory is that of this process and all that it started, pages that several share counted once, at
the end of a chunk.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil

from frostbench.bench.cli import main
from frostbench.bench.runner.built import Methods
from frostbench.bench.runner.guilty import Court
from frostbench.bench.store.reader import open_run


@dataclass(frozen=True)
class Spent:
    """Seconds of the clock, and of processors in all processes."""

    clock: float = 0.0
    processor: float = 0.0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.clock + other.clock, self.processor + other.processor)

    def __sub__(self, other: "Spent") -> "Spent":
        return Spent(self.clock - other.clock, self.processor - other.processor)

    def __str__(self) -> str:
        return f"{self.clock:>8.1f} s ({self.processor:>6.1f} s)"


@dataclass
class RunCost:
    """A run: its exit code, what it spent on starting and on chunks, the most bytes, its rows."""

    code: int = 0
    starting: Spent = Spent()
    work: Spent = Spent()
    memory: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.starting}{self.work}{self.memory / 1e9:>9.2f} GB"


def measure(words: Sequence[str], *, isolate: bool) -> RunCost:
    """What a run with these words costs, in one process or with a process for each method."""
    cost = RunCost()

    def timed(really: Callable[..., Any], part: str) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            begun = _now()
            made = really(*arguments)
            setattr(cost, part, getattr(cost, part) + (_now() - begun))
            cost.memory = max(cost.memory, _memory())
            return made

        return run

    with (
        tempfile.TemporaryDirectory() as folder,
        patch.object(Methods, "_build", timed(Methods._build, "starting")),
        patch.object(Court, "run", timed(Court.run, "work")),
    ):
        places = [f"out={folder}/run", f"cache={folder}/tokens", f"isolate={str(isolate).lower()}"]
        cost.code = main(["run", "quiet=true", *words, *places, "workers=1"])
        for record in open_run(Path(folder) / "run").records():
            row = record.to_json()
            tokens = row["cost"]["prompt_tokens"], row["cost"]["generated_tokens"]
            cost.rows.append({**row, "cost": tokens})
    cost.rows.sort(key=lambda row: repr([row[key] for key in KEY]))
    return cost


KEY = ("task", "protocol", "method", "control", "sample")


def _now() -> Spent:
    times = [one.cpu_times() for one in _processes()]
    # What the nursery has reaped counts too.
    processor = sum(one.user + one.system + one.children_user for one in times)
    return Spent(time.perf_counter(), processor)


def _memory() -> int:
    return sum(int(one.memory_full_info().pss) for one in _processes())


def _processes() -> list[psutil.Process]:
    me = psutil.Process()
    return [me, *me.children(recursive=True)]


def told(without: RunCost, within: RunCost) -> str:
    """Both costs and their ratios, as lines."""
    starting, work = (
        f"{new.clock / old.clock:>10.2f} ({new.processor / old.processor:>8.2f})"
        for old, new in ((without.starting, within.starting), (without.work, within.work))
    )
    equal = "equal" if without.rows == within.rows else "DIFFERENT"
    return "\n".join(
        [
            f"{'':<14}{'starting':>10} (processor){'work':>10} (processor){'memory':>12}",
            f"{'isolate=false':<14}{without}",
            f"{'isolate=true':<14}{within}",
            f"{'ratio':<14}{starting}{work}{within.memory / without.memory:>9.2f}",
            f"{len(without.rows)} rows, {equal} but for seconds, joules and bytes",
        ]
    )


if __name__ == "__main__":
    measure(sys.argv[1:], isolate=False)
    both = [measure(sys.argv[1:], isolate=isolate) for isolate in (False, True)]
    print(told(*both))
    sys.exit(max(cost.code for cost in both))
