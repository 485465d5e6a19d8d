"""Rows and samples as Arrow tables, for Parquet and for Python."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from frostbench.bench.leaderboard import build
from frostbench.bench.leaderboard.columns import sample_value
from frostbench.bench.leaderboard.rows import Leaderboard, Row
from frostbench.bench.leaderboard.write import FLAT, flat
from frostbench.bench.store.letters import all_in_whole_letters
from frostbench.bench.store.manifest import Manifest, MetricEntry
from frostbench.bench.store.reader import StoredRun, open_run
from frostbench.bench.store.records import Record, Stored, StoredCost

NUMBERS = ("value", "low", "high", "seconds", "prompt_tokens", "generated_tokens", "joules")
COUNTS = ("rank_low", "rank_high", "samples", "failed", "run", "peak_bytes")
TRUTHS = ("best", "verified", "adapter")
ROWS = pa.schema(
    [
        (
            name,
            pa.float64()
            if name in NUMBERS
            else pa.int64()
            if name in COUNTS
            else pa.bool_()
            if name in TRUTHS
            else pa.string(),
        )
        for name in FLAT
    ]
)
TEXTS = ("suite", "task", "protocol", "method", "control", "sample", "cluster", "status", "error")
ANSWERS = ("prediction_kind", "prediction", "target_kind", "target", "asked", "machine")


@dataclass(frozen=True)
class Results:
    """Runs as tables of pyarrow; `.to_pandas()` turns a table into a data frame.

    Attributes:
        runs: the stored runs; `runs[0].manifest` holds everything that the first depends on.
    """

    runs: tuple[StoredRun, ...]

    @property
    def folder(self) -> Path:
        """The folder of the first run."""
        return self.runs[0].folder

    @property
    def failed(self) -> bool:
        """Whether anything failed in any of them."""
        return any(run.failed for run in self.runs)

    @cached_property
    def leaderboard(self) -> Leaderboard:
        """The runs ranked together, as `frostbench leaderboard` does it."""
        return build(self.runs)

    @cached_property
    def rows(self) -> Any:
        """The leaderboard's rows, the columns of leaderboard.csv."""
        return rows_table(self.leaderboard.rows)

    @cached_property
    def samples(self) -> Any:
        """Every sample of every run, with a column for each metric."""
        return samples_table(self.runs)


def read_runs(folders: Sequence[str | Path]) -> Results:
    """The runs in these folders.

    Raises:
        StoreError: there is no run in one of them.
        ValueError: no folder is named.
    """
    if not folders:
        raise ValueError("which run? read(FOLDER) takes at least one.")
    return Results(tuple(open_run(Path(folder)) for folder in folders))


def rows_table(rows: Sequence[Row]) -> Any:
    """Rows as an Arrow table of `ROWS`."""
    return pa.Table.from_pylist(all_in_whole_letters([flat(row) for row in rows]), schema=ROWS)


def samples_table(runs: Sequence[StoredRun]) -> Any:
    """Samples as an Arrow table: a row a sample and method or control, a column a metric.

    A metric's column holds the value of the sample alone; a distance between sets has none. A text
    prediction is included, any other one is the hash of its file.
    """
    metrics: dict[str, MetricEntry] = {}
    for run in runs:
        metrics.update(run.manifest.metrics)
    taken = {"run", *TEXTS, *ANSWERS, *(field.name for field in fields(StoredCost))}
    names = {
        name: f"metric {name}" if name in taken else name
        for name, entry in metrics.items()
        if entry.pooling != "features"
    }
    schema = pa.schema(
        [
            ("run", pa.int64()),
            *((name, pa.string()) for name in TEXTS),
            *((column, pa.float64()) for column in names.values()),
            *((name, pa.string()) for name in ANSWERS),
            ("seconds", pa.float64()),
            ("prompt_tokens", pa.int64()),
            ("generated_tokens", pa.int64()),
            ("peak_bytes", pa.int64()),
            ("joules", pa.float64()),
        ]
    )
    parts = [
        pa.Table.from_pylist(
            all_in_whole_letters(
                [_sample(number, record, run.manifest, names) for record in run.records()]
            ),
            schema=schema,
        )
        for number, run in enumerate(runs, start=1)
    ]
    return pa.concat_tables(parts)


def _sample(
    number: int, record: Record, manifest: Manifest, names: Mapping[str, str]
) -> Mapping[str, Any]:
    known = manifest.metrics
    cost: StoredCost = record.cost
    return {
        "run": number,
        **{name: getattr(record, name) for name in TEXTS},
        **{
            column: sample_value(record, known[name])
            for name, column in names.items()
            if name in known
        },
        "prediction_kind": record.prediction.kind,
        "prediction": _content(record.prediction),
        "target_kind": record.target.kind,
        "target": _content(record.target),
        "asked": record.asked or None,
        "machine": record.machine or None,
        **asdict(cost),
    }


def _content(stored: Stored) -> str | None:
    return stored.text if stored.text is not None else stored.blob
