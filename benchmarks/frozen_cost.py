"""The cost of checking that frozen models stay frozen: seconds of checks and of each chunk.

    python benchmarks/frozen_cost.py [WORDS OF `frostbench run`]

runs what `frostbench run WORDS` does, in a folder that is thrown away, with default limits where
no others are given. Both times are of the same chunks of the same process, so that what else runs
on the machine slows down both. Full checksums, one before a run and one after it, are left out.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from frostbench.bench.cli import main
from frostbench.bench.runner.guilty import Court


@dataclass(frozen=True)
class ChunkCost:
    """A chunk: its seconds in all and those of looking, the looks, and the bytes that each read."""

    name: str
    seconds: float
    looking: float
    looks: int
    bytes_read: int

    def __str__(self) -> str:
        share = 100 * self.looking / self.seconds
        times = f"{self.seconds:>9.2f} s{1e3 * self.looking:>9.1f} ms in {self.looks:>5} looks"
        return f"{self.name:<48}{times}{share:>8.2f} %"


def measure(
    words: Sequence[str], tell: Callable[[ChunkCost], None] = lambda cost: None
) -> tuple[int, list[ChunkCost]]:
    """The exit code of a run with these words, and its chunks in order, each told at its end."""
    costs: list[ChunkCost] = []
    really = Court.run

    def run(self: Court, opened: Any, chunk: Any, names: Sequence[str]) -> Any:
        spent = self.watch.spent
        before, looks, begun = spent.seconds, spent.looks, time.perf_counter()
        records = really(self, opened, chunk, names)
        seconds = time.perf_counter() - begun
        name = "@".join(filter(None, (records[0].task, chunk.protocol)))
        looked = spent.seconds - before, spent.looks - looks
        costs.append(ChunkCost(name, seconds, *looked, self.watch.bytes_read))
        tell(costs[-1])
        return records

    with tempfile.TemporaryDirectory() as folder, patch.object(Court, "run", run):
        places = [f"out={folder}/run", f"cache={folder}/tokens"]
        return main(["run", "quiet=true", *words, *places]), costs


def total(costs: Sequence[ChunkCost]) -> ChunkCost:
    """All chunks together."""
    seconds, looking = sum(one.seconds for one in costs), sum(one.looking for one in costs)
    read = max(one.bytes_read for one in costs)
    return ChunkCost("all", seconds, looking, sum(one.looks for one in costs), read)


if __name__ == "__main__":
    code, measured = measure(sys.argv[1:], lambda cost: print(cost, flush=True))
    whole = total(measured)
    print(whole)
    print(f"a look at all backbones reads {whole.bytes_read:,} bytes of their tensors")
    sys.exit(code)
