"""The state of a run: its tasks and rows, with the intervals as of now."""

import math
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from frostbench.bench.leaderboard.columns import column_of, scored
from frostbench.bench.statistics import Estimate, Inference, estimated
from frostbench.bench.store.chunks import Places
from frostbench.bench.store.leases import EXPIRY
from frostbench.bench.store.manifest import Manifest, MetricEntry, TaskEntry
from frostbench.bench.store.reader import StoredRun, open_run, read_manifest
from frostbench.bench.store.tables import SampleTable, Tables, Who
from frostbench.bench.watching.crew import CrewStanding, CrewWatch

AT_THE_END = ("features", "whole")
"""Poolings whose value is one number of a whole set: it is computed when the task has ended."""
MOST_POINTS = 64
"""The most points of a row's trail."""


@dataclass(frozen=True)
class Point:
    """A value, its number of samples, and the ends of its interval."""

    samples: int
    value: float
    low: float
    high: float

    @staticmethod
    def of(row: "RowStanding") -> "Point | None":
        """A row's current point; None where it has no interval."""
        one = row.estimate
        if one is None or one.low is None or one.high is None:
            return None
        return Point(one.samples, one.value, one.low, one.high)


@dataclass(frozen=True)
class RowStanding:
    """A method or control in a task: the number of its stored samples, and their value.

    `trail` holds its points at each look, from the first to now.
    """

    method: str | None
    control: str | None
    samples: int
    failed: int
    seconds: float | None
    estimate: Estimate | None
    trail: tuple[Point, ...] = ()

    @property
    def name(self) -> str:
        """The method, the control, or the method's control."""
        return " · ".join(filter(None, (self.method, self.control)))


@dataclass(frozen=True)
class TaskStanding:
    """A task and protocol: how many of its requests all rows have answered, and its rows.

    `total` is the most that it can have until it is complete.
    """

    task: TaskEntry
    protocol: str | None
    metric: MetricEntry
    done: int
    total: int
    rows: tuple[RowStanding, ...] = ()

    @property
    def name(self) -> str:
        """The task with its protocol."""
        return self.task.name if self.protocol is None else f"{self.task.name}/{self.protocol}"

    @property
    def failed(self) -> int:
        """Samples that failed."""
        return sum(row.failed for row in self.rows)

    @property
    def at_work(self) -> bool:
        """Whether it has begun and is not complete."""
        return bool(self.done) and not self.task.complete


@dataclass(frozen=True)
class RunStanding:
    """A run as of now; `at` is when, in seconds of the clock."""

    folder: Path
    manifest: Manifest
    tasks: tuple[TaskStanding, ...]
    crew: CrewStanding
    at: float

    @property
    def samples(self) -> int:
        """Samples that are stored."""
        return sum(row.samples for one in self.tasks for row in one.rows)

    @property
    def failed(self) -> int:
        """Samples that failed."""
        return sum(one.failed for one in self.tasks)

    @property
    def rate(self) -> float | None:
        """Samples a second in the run's last session; None where there are none yet."""
        session = self.manifest.last_session
        return session.samples / session.seconds if session.samples and session.seconds else None

    @property
    def left(self) -> float | None:
        """About how many seconds are left at this rate; None where it cannot be known.

        A task that has not begun is assumed to have as many rows as those that have.
        """
        begun = [len(one.rows) for one in self.tasks if one.rows]
        if not begun or not self.rate:
            return None
        usual = sum(begun) / len(begun)
        open_ = (one for one in self.tasks if not one.task.complete)
        missing = sum((one.total - one.done) * (len(one.rows) or usual) for one in open_)
        return missing / self.rate

    @property
    def over(self) -> bool:
        """Whether nothing more will change: it has ended, or no process keeps it."""
        return self.manifest.status != "running" or not self.crew.kept


class RunWatch:
    """Looks at a run again and again, and reads unchanged files only once.

    Raises:
        StoreError: there is no run, or a file of it is damaged.
    """

    def __init__(self, folder: Path, lease: float = EXPIRY) -> None:
        self._folder = folder
        self._crew = CrewWatch(folder, lease)
        self._run = open_run(folder)
        self._tables: Tables | None = None
        self._known: dict[tuple[str, str | None], TaskStanding] = {}
        self._trails: dict[tuple[str, str], tuple[Point, ...]] = {}

    def look(self) -> RunStanding:
        """The run as of now."""
        crew = self._crew.look()  # first: its files end with the run
        manifest = read_manifest(self._folder)
        tables = self._run.tables()
        changed, self._tables = tables is not self._tables, tables
        tasks = tuple(
            self._task(manifest, task, protocol, tables, changed=changed)
            for task in manifest.tasks.values()
            for protocol in task.ways
        )
        return RunStanding(self._folder, manifest, tasks, crew, time.time())

    def _task(
        self,
        manifest: Manifest,
        task: TaskEntry,
        protocol: str | None,
        tables: Tables,
        *,
        changed: bool,
    ) -> TaskStanding:
        known = self._known.get((task.name, protocol))
        if known is not None and known.task == task and (task.complete or not changed):
            return known
        total = task.samples.get(protocol or "", task.limit) if task.complete else task.limit
        metric = manifest.metrics[task.ranks_by]
        table = tables.table(task.name, protocol)
        done = max(map(len, table.rows.values()), default=0)
        found = TaskStanding(task, protocol, metric, done, total)
        rows = standing_of(self._run, table, task, metric)
        found = replace(found, rows=tuple(self._trailed(found.name, row) for row in rows))
        self._known[task.name, protocol] = found
        return found

    def _trailed(self, task: str, row: RowStanding) -> RowStanding:
        """The row with its intervals of earlier looks."""
        trail = self._trails.get((task, row.name), ())
        point = Point.of(row)
        if point is not None and (not trail or trail[-1] != point):
            # Of many points, every second one shows how it narrowed; the first is never dropped.
            trail = (*(trail[::2] if len(trail) >= MOST_POINTS else trail), point)
            self._trails[task, row.name] = trail
        return replace(row, trail=trail)


def standing_of(
    run: StoredRun, table: SampleTable, task: TaskEntry, metric: MetricEntry
) -> Iterator[RowStanding]:
    """The rows of a task and protocol, methods before controls."""
    has = scored(table, metric)
    ready = task.complete or metric.pooling not in AT_THE_END
    for who, places in sorted(table.rows.items(), key=_order):
        failed = int(np.count_nonzero(~table.scored[places]))
        seconds = table.numbers("cost.seconds")[places]
        mean = float(np.nanmean(seconds)) if np.isfinite(seconds).any() else None
        estimate = _estimate(run, table, places[has[places]], metric) if ready else None
        yield RowStanding(*who, len(places), failed, mean, estimate)


def _estimate(
    run: StoredRun, table: SampleTable, places: Places, metric: MetricEntry
) -> Estimate | None:
    if not len(places):
        return None
    found = None
    with suppress(LookupError):  # an image that another process has not written yet
        found = estimated(column_of(run, table, places, metric), Inference())
    return found if found is not None and math.isfinite(found.value) else None


def _order(row: tuple[Who, Places]) -> tuple[bool, str, str]:
    (method, control), _ = row
    return control is not None, control or "", method or ""
