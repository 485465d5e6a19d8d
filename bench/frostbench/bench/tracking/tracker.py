"""The plugin that watches a run and passes it on to a tracker."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from frostbench.bench.store.manifest import Manifest
from frostbench.bench.store.reader import StoredRun, read_manifest
from frostbench.bench.store.records import Record
from frostbench.bench.tracking.curves import Curves
from frostbench.bench.tracking.kinds import About, Sink, TrackerSettings
from frostbench.bench.tracking.samples import sample_rows
from frostbench.plugins.contract.hooks import hookimpl
from frostbench.plugins.host.packs import digest_of

SEAL = 8  # digits of a run's seal that its name ends with


class Tracker:
    """Passes on curves as samples come, and a table of a task's samples when the next begins.

    In a resumed run that was tracked before, `known` samples are there already: they count, and
    only their last point is passed on again.
    """

    def __init__(
        self, sink: Sink, folder: Path, settings: TrackerSettings, *, resumed: bool = False
    ) -> None:
        self._sink = sink
        self._run = StoredRun(folder)
        self._settings = settings
        self._silent = resumed
        self._manifest: Manifest | None = None
        self._curves: Curves | None = None
        self._tasks: list[tuple[str, str | None]] = []  # begun, and not handed on as tables
        self._complete = False

    def __enter__(self) -> "Tracker":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None and self._manifest is not None:
            self._sink.end(complete=self._complete)

    @hookimpl
    def frostbench_run_started(self, manifest: Mapping[str, Any]) -> None:
        """Open the run where it is tracked."""
        self._manifest = Manifest.from_json(manifest)
        self._curves = Curves(self._run, self._manifest)
        self._sink.begin(about(self._run.folder, self._manifest, self._settings))

    @hookimpl
    def frostbench_sample_scored(self, sample: Mapping[str, Any]) -> None:
        """Add a sample, and pass on its row's new point, if any."""
        assert self._curves is not None
        record = Record.from_json(sample)
        where = record.task, record.protocol
        if where not in self._tasks:
            if any(task != record.task for task, _ in self._tasks):
                self._hand_samples_on()
            self._tasks.append(where)
        spot = self._curves.add(record)
        if spot is not None and not self._silent:
            self._sink.points(*self._curves.point(spot))

    def caught_up(self) -> None:
        """The earlier samples were added."""
        assert self._curves is not None
        if self._silent:
            self._silent = False
            self._hand_points_on()

    @hookimpl
    def frostbench_run_finished(self, folder: str) -> None:
        """Pass on the final points of all rows, and the samples of the last task."""
        self._complete = read_manifest(Path(folder)).status == "finished"
        self._hand_points_on()
        self._hand_samples_on()

    def _hand_points_on(self) -> None:
        assert self._curves is not None
        for spot in self._curves.rows():
            self._sink.points(*self._curves.point(spot))
        self._sink.points(*self._curves.total())

    def _hand_samples_on(self) -> None:
        assert self._manifest is not None
        tables = self._run.tables()
        for task, protocol in self._tasks:
            table = tables.table(task, protocol)
            found = sample_rows(self._run, self._manifest, table, self._settings.images)
            if found.rows:
                name = "/".join(filter(None, (task, protocol)))
                self._sink.table(f"{name}/samples", found.columns, found.rows)
        self._tasks.clear()


def about(folder: Path, manifest: Manifest, settings: TrackerSettings) -> About:
    """The announcement of a run, without any path of this machine."""
    seal = digest_of([manifest.created, manifest.identity])
    name = settings.name or f"{folder.resolve().name}-{seal[:SEAL]}"
    config = {
        "frostbench": manifest.frostbench,
        "created": manifest.created,
        "pack": manifest.pack.name,
        "seed": manifest.seed,
        "device": manifest.device,
        "methods": ", ".join(manifest.methods),
        "tasks": ", ".join(manifest.tasks),
        "samples of each task at most": max(task.limit for task in manifest.tasks.values()),
    }
    return About(seal, name, config)
