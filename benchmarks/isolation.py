"""What it costs to run each method in a process of its own: seconds and memory, as ratios.

    python benchmarks/isolation.py [WORDS OF `frostbench run`]

does what `frostbench run WORDS` does three times, in folders that are thrown away: once so that
everything is imported, then with `isolate=false` and with `isolate=true`. Starting is building the
methods, with their processes and the backbones in these; work is all chunks. Memory is that of this
process and all that it started, pages that several share counted once, at the end of a chunk.
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


@dataclass
class RunCost:
    """A run: its exit code, seconds of starting methods and of chunks, the most bytes, its rows."""

    code: int = 0
    starting: float = 0.0
    work: float = 0.0
    memory: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.starting:>9.2f} s{self.work:>9.2f} s{self.memory / 1e9:>9.2f} GB"


def measure(words: Sequence[str], *, isolate: bool) -> RunCost:
    """What a run with these words costs, in one process or with a process for each method."""
    cost = RunCost()

    def timed(really: Callable[..., Any], part: str) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            begun = time.perf_counter()
            made = really(*arguments)
            setattr(cost, part, getattr(cost, part) + time.perf_counter() - begun)
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


def _memory() -> int:
    me = psutil.Process()
    return sum(int(one.memory_full_info().pss) for one in (me, *me.children(recursive=True)))


def told(without: RunCost, within: RunCost) -> str:
    """Both costs and their ratios, as lines."""
    ratios = (
        within.starting / without.starting,
        within.work / without.work,
        within.memory / without.memory,
    )
    equal = "equal" if without.rows == within.rows else "DIFFERENT"
    return "\n".join(
        [
            f"{'':<16}{'starting':>11}{'work':>11}{'memory':>12}",
            f"{'isolate=false':<16}{without}",
            f"{'isolate=true':<16}{within}",
            f"{'ratio':<16}" + "".join(f"{ratio:>9.2f}  " for ratio in ratios),
            f"{len(without.rows)} rows, {equal} but for seconds, joules and bytes",
        ]
    )


if __name__ == "__main__":
    measure(sys.argv[1:], isolate=False)
    both = [measure(sys.argv[1:], isolate=isolate) for isolate in (False, True)]
    print(told(*both))
    sys.exit(max(cost.code for cost in both))
