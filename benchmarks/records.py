"""What very many records cost: showing a run, making its leaderboard, and sealing it.

    python benchmarks/records.py [--records 1000000] [--tasks 10] [--seal 100000]

Writes a sealed run of invented answers (ten methods, each with a control, three metrics, two
questions an image), then prints a JSON object for each step, done in a process of its own: seconds,
of wall clock and of the processor, and the peak of memory. `show` and `leaderboard` are the
commands. With `--seal N`, samples files of N records are sealed as at the end of a task.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from frostbench.bench.store.manifest import (
    ControlEntry,
    Manifest,
    MethodEntry,
    MetricEntry,
    PackEntry,
    TaskEntry,
)
from frostbench.bench.store.reader import open_run
from frostbench.bench.store.schema import SCHEMA, TOGETHER
from frostbench.bench.store.sealed import sealed_name, write_tables
from frostbench.bench.store.writer import RunWriter

METHODS = tuple(f"method-{number}" for number in range(10))
ROWS = [(method, control) for control in (None, "shuffled") for method in METHODS]
METRICS = ("accuracy", "overlap", "length")
CHILD = """
import json, os, resource, sys, time
from frostbench.bench.cli import main
begun = time.perf_counter()
status = main(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({
    "status": status, "seconds": round(time.perf_counter() - begun, 1),
    "processor_seconds": round(used.ru_utime + used.ru_stime, 1), "peak_mb": used.ru_maxrss >> 10,
}), file=sys.stderr)
"""


def made(folder: Path, tasks: int, samples: int) -> None:
    """Write a run of so many tasks with so many samples each, of all rows."""
    names = [f"task-{number:02}" for number in range(tasks)]
    write_manifest(folder, names)
    for number, name in enumerate(names):
        generator = np.random.default_rng(number)
        hard = generator.uniform(size=samples)
        columns = [_row(name, place, hard, generator) for place in range(len(ROWS))]
        parts = (
            pa.table(columns[place], SCHEMA).slice(start, TOGETHER)
            for place in range(len(ROWS))
            for start in range(0, samples, TOGETHER)
        )
        write_tables(folder / "sealed" / sealed_name(name, None), parts)


def write_manifest(folder: Path, tasks: list[str]) -> RunWriter:
    """Begin the folder of a finished run."""
    writer = RunWriter(folder)
    (folder / "sealed").mkdir(exist_ok=True)
    shuffled = {"shuffled": ControlEntry("the tokens of an image, shuffled")}
    writer.write_manifest(
        Manifest(
            frostbench="0",
            status="finished",
            pack=PackEntry("invented", "answers that nobody gave", "0" * 64),
            methods={name: MethodEntry(title=name) for name in METHODS},
            tasks={
                name: TaskEntry(
                    name=name,
                    suite="understanding",
                    metrics=METRICS,
                    ranks_by=METRICS[0],
                    controls=shuffled,
                    complete=True,
                )
                for name in tasks
            },
            metrics={name: MetricEntry(name, "", 0.0, 1.0) for name in METRICS},
        )
    )
    return writer


def _row(
    task: str, place: int, hard: np.ndarray, generator: np.random.Generator
) -> Mapping[str, Any]:
    """The columns of one row: the better a method, the more of the hard questions are answered."""
    method, control = ROWS[place]
    count = len(hard)
    skill = 0.2 if control else 0.5 + 0.03 * place
    right = generator.uniform(size=count) < skill * (1 - 0.5 * hard)
    scores = np.stack([right, generator.uniform(size=(count)), hard], axis=1)
    ids = np.arange(count)
    same = {
        "suite": "understanding",
        "task": task,
        "method": method,
        "control": control,
        "status": "scored",
        "asked": "What is in the image?",
        "made_by": "0" * 64,
        "machine": "1" * 64,
    }
    columns = {name: pa.repeat(pa.scalar(text, pa.string()), count) for name, text in same.items()}
    columns["sample"] = pa.array([f"{task}-{number:08}" for number in ids])
    columns["cluster"] = pa.array([f"image-{number // 2:08}" for number in ids])
    text = pa.array(
        [f"a thing of class {number}" for number in generator.integers(1000, size=count)]
    )
    answer = {"kind": pa.repeat("text", count), "text": text}
    columns["prediction"] = columns["target"] = _struct("prediction", answer, count)
    columns["cost"] = _struct(
        "cost",
        {
            "seconds": pa.array(generator.uniform(0.1, 0.2, count)),
            "prompt_tokens": pa.repeat(200, count),
            "generated_tokens": pa.repeat(8, count),
        },
        count,
    )
    ends = pa.array(np.arange(count + 1, dtype=np.int32) * len(METRICS))
    keys = pa.array(METRICS * count)
    columns["scores"] = pa.MapArray.from_arrays(ends, keys, pa.array(scores.ravel()))
    return {field.name: columns.get(field.name, pa.nulls(count, field.type)) for field in SCHEMA}


def _struct(name: str, given: Mapping[str, Any], count: int) -> Any:
    kind = SCHEMA.field(name).type
    parts = [given.get(field.name, pa.nulls(count, field.type)) for field in kind]
    return pa.StructArray.from_arrays(parts, fields=list(kind))


def run(step: str, words: list[str]) -> dict[str, Any]:
    """A command in a process of its own; what it took is printed."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *words],
        env=dict(os.environ, NO_COLOR="1"),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, Any] = {"step": step, **json.loads(done.stderr.splitlines()[-1])}
    print(json.dumps(found), flush=True)
    return found


def sealing(folder: Path, count: int) -> None:
    """Seal lines of so many records, as at the end of a task."""
    made(folder / "source", 1, max(1, count // len(ROWS)))
    records = open_run(folder / "source").records()
    writer = write_manifest(folder / "lines", ["task-00"])
    for start in range(0, len(records), 64):
        writer.append(records[start : start + 64])
    samples = sorted({record.sample for record in records})
    before = time.process_time()
    writer.seal("task-00", None, samples)
    seconds = round(time.process_time() - before, 1)
    found = {"step": "seal", "records": len(records), "processor_seconds": seconds}
    print(json.dumps(found), flush=True)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--tasks", type=int, default=10)
    parser.add_argument(
        "--seal", type=int, default=100_000, help="records that are sealed; 0: none"
    )
    parser.add_argument("--folder", type=Path, help="where runs lie; kept if given")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        place = options.folder or Path(scratch)
        folder = place / str(options.records)
        if not folder.exists():
            made(folder, options.tasks, max(1, options.records // options.tasks // len(ROWS)))
        size = sum(path.stat().st_size for path in folder.rglob("*.parquet"))
        print(json.dumps({"records": options.records, "mb": size >> 20}), flush=True)
        run("show", ["show", str(folder)])
        run("leaderboard", ["leaderboard", str(folder), f"out={place / 'board'}"])
        if options.seal:
            sealing(place / "sealing", options.seal)


if __name__ == "__main__":
    main()
