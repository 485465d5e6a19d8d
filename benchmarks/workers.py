"""How long a run takes with several workers, against one process, or against another frostbench.

    python benchmarks/workers.py [--other FROSTBENCH] [--workers 2] [WORDS OF `frostbench run`]

runs `frostbench run WORDS` twice, one after the other, in folders that are thrown away: first as
`--other` does it (a console script of another installation; without it, this one in one process),
then by so many workers. Neither has kept tokens. Prints the seconds of both, their ratio, and in
how many samples the two differ in anything but their cost.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from frostbench.bench.store.reader import open_run

DIFFERENT = ("cost", "machine", "made_by")


def timed(command: Sequence[str], words: Sequence[str], folder: Path) -> float:
    """Seconds of a run."""
    begun = time.perf_counter()
    places = [f"out={folder / 'run'}", f"cache={folder / 'tokens'}", "quiet=true"]
    ended = subprocess.run(
        [*command, "run", *words, *places], check=False, stdout=subprocess.DEVNULL
    )
    if ended.returncode > 1:
        sys.exit(ended.returncode)
    return time.perf_counter() - begun


def samples(folder: Path) -> dict[Any, dict[str, Any]]:
    """What a run stored, but what it cost and what made it."""
    found = {}
    for record in open_run(folder / "run").records():
        values = record.to_json()
        found[record.key] = {k: v for k, v in values.items() if k not in DIFFERENT}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--other", help="console script of another installation")
    parser.add_argument("--workers", type=int, default=2)
    options, words = parser.parse_known_args()
    mine = [sys.executable, "-m", "frostbench"]
    with tempfile.TemporaryDirectory() as place:
        one, several = Path(place, "one"), Path(place, "several")
        other = [options.other] if options.other else mine
        before = timed(other, [*words, *([] if options.other else ["workers=1"])], one)
        print(f"{options.other or 'one process'}: {before:.1f} s", flush=True)
        after = timed(mine, [*words, f"workers={options.workers}"], several)
        print(f"{options.workers} workers: {after:.1f} s")
        print(f"time divided by {before / after:.2f} on {os.cpu_count()} cores")
        first, second = samples(one), samples(several)
        differ = sum(first.get(key) != second.get(key) for key in {*first, *second})
        print(f"{differ} of {len(second)} samples differ")


if __name__ == "__main__":
    main()
