"""Curves of a run: values and intervals by the number of samples."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from frostbench.bench.leaderboard.columns import column_of_entries, is_scored, part_of
from frostbench.bench.statistics import Inference, estimated
from frostbench.bench.store.manifest import Manifest, MetricEntry
from frostbench.bench.store.reader import StoredRun
from frostbench.bench.store.records import Record

GROWTH = 1.1
"""Ratio of samples from a row's point to its next: 1,000,000 samples give 130 points."""
WHOLE = ("features", "whole")  # poolings that only have a value of a whole set


@dataclass
class _Row:
    samples: int = 0
    failed: int = 0
    seconds: float = 0.0
    due: int = 1
    entries: dict[str, list[tuple[str, str, Any]]] = field(default_factory=dict)


@dataclass(frozen=True)
class CurveRow:
    """A row of a task and protocol."""

    task: str
    protocol: str | None
    method: str | None
    control: str | None

    def key(self, what: str) -> str:
        """The name of its curve: the task, what it shows, and the method."""
        who = "+".join(filter(None, (self.method, self.control)))
        task = "/".join(filter(None, (self.task, self.protocol)))
        return f"{task}/{what}/{who}"


class Curves:
    """Takes samples as they come, and tells when a row has a new point."""

    def __init__(self, run: StoredRun, manifest: Manifest) -> None:
        self._run = run
        self._manifest = manifest
        self._rows: dict[CurveRow, _Row] = {}

    def add(self, record: Record) -> CurveRow | None:
        """Add a sample; return its row if that has a new point."""
        spot = CurveRow(record.task, record.protocol, record.method, record.control)
        row = self._rows.setdefault(spot, _Row())
        row.samples += 1
        row.failed += record.status == "failed"
        row.seconds += record.cost.seconds
        for metric in self._metrics(record.task):
            if is_scored(record, metric):
                value = getattr(record, part_of(metric))[metric.id]
                mine = row.entries.setdefault(metric.id, [])
                mine.append((record.sample, record.cluster, value))
        if row.samples < row.due:
            return None
        row.due = max(row.samples + 1, math.ceil(row.samples * GROWTH))
        return spot

    def point(self, spot: CurveRow) -> tuple[Mapping[str, float], int]:
        """A row's current value, and its number of samples."""
        row = self._rows[spot]
        found = {}
        if spot.control is None:
            found[spot.key("failed")] = float(row.failed)
            found[spot.key("seconds a sample")] = row.seconds / row.samples
        ranks_by = self._manifest.tasks[spot.task].ranks_by
        for metric in self._metrics(spot.task):
            entries = row.entries.get(metric.id)
            if not entries:
                continue
            value = estimated(column_of_entries(self._run, entries, metric), Inference())
            if value is None:
                continue
            named: dict[str, float | None] = {"": value.value}
            if metric.id == ranks_by:  # a dashboard draws a chart for each of these
                named |= {" low": value.low, " high": value.high}
            for end, number in named.items():
                if number is not None and math.isfinite(number):
                    found[spot.key(metric.id + end)] = number
        return found, row.samples

    def rows(self) -> Iterator[CurveRow]:
        """All rows that have samples."""
        yield from self._rows

    def total(self) -> tuple[Mapping[str, float], int]:
        """How much is stored of all tasks."""
        samples = sum(row.samples for row in self._rows.values())
        failed = sum(row.failed for row in self._rows.values())
        return {"run/samples": float(samples), "run/failed": float(failed)}, samples

    def _metrics(self, task: str) -> Iterator[MetricEntry]:
        for name in self._manifest.tasks[task].columns:
            if self._manifest.metrics[name].pooling not in WHOLE:
                yield self._manifest.metrics[name]
