"""Reports of workers in other processes, as files in the run's folder.

workers/NAME.SESSION.json   what a session of a worker has done until now
workers/TASK.ended          the samples of a task with all chunks done, in their order
"""

import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from frostbench.bench.runner.preflight import PreflightError
from frostbench.bench.runner.report import Ended, WorkerReport
from frostbench.bench.store.atomic import StoreError, StoreFullError, write_whole
from frostbench.bench.store.hardware import Hardware
from frostbench.bench.store.leases import LOG, Leases
from frostbench.bench.store.reader import read_manifest
from frostbench.plugins.host.containment import deaths
from frostbench.plugins.host.litter import files_like

LEADER = "0"
"""The worker name of the process that keeps the run."""
ERRORS: Mapping[Literal["refused", "full", "store"], type[Exception]] = {
    "refused": PreflightError,
    "full": StoreFullError,
    "store": StoreError,
}
EVERY = 0.5  # seconds between two reports of mere counts


@dataclass(frozen=True)
class TaskEnded:
    """A task with all chunks done, and the names of its samples by protocol."""

    samples: Mapping[str | None, Sequence[str]]
    whole: bool


class Post:
    """Through which a worker in its own process reports to the run; see `Desk`."""

    def __init__(self, run: Path, leases: Leases) -> None:
        self._run = run
        self._leases = leases
        self._leader = leases.session_of(LEADER)
        self._report: WorkerReport | None = None
        self._written = 0.0
        self._guilty: Mapping[str, str] = {}
        self._manifest_of = 0

    def begun(self, task: str) -> None:
        """Does nothing: the run sees it from the samples."""

    def told(self, report: WorkerReport) -> None:
        """Write what was done until now.

        Raises:
            StoreError: the process that keeps the run is gone.
        """
        self._report = report
        self._written = time.monotonic()
        name = f"{quote(report.worker, safe='')}.{report.session}.json"
        content = json.dumps(report.to_json(), default=str).encode()
        # What must not be lost is synced: the samples that cannot be trusted.
        write_whole(self._run / "workers" / name, content, sync=bool(report.void))
        self._check_leader()

    def ended(self, task: str, samples: Mapping[str | None, Sequence[str]], *, whole: bool) -> None:
        """Write which samples a task has."""
        values = {"samples": {key or "": names for key, names in samples.items()}, "whole": whole}
        path = self._run / "workers" / f"{quote(task, safe='')}.ended"
        write_whole(path, json.dumps(values).encode(), sync=False)

    def prompts(self, count: int) -> None:
        """Write the count, if the last report is a while ago."""
        if self._report is not None and time.monotonic() - self._written >= EVERY:
            self.told(replace(self._report, prompts=self._report.prompts + count))

    def guilty(self) -> Mapping[str, str]:
        """The methods that changed what is frozen in any worker, as the manifest says."""
        stamp = (self._run / "manifest.json").stat().st_mtime_ns
        if stamp != self._manifest_of:
            self._manifest_of, self._guilty = stamp, read_manifest(self._run).guilty
        return self._guilty

    def wait(self) -> None:
        """Let some time pass.

        Raises:
            StoreError: the process that keeps the run is gone.
        """
        time.sleep(EVERY)
        self._check_leader()

    def _check_leader(self) -> None:
        if not self._leases.lives(LEADER, self._leader):
            raise StoreError(
                f"the process that keeps the run in {self._run} is gone; once `frostbench run` "
                "goes on with it, `frostbench work` joins it again."
            )


class Inbox:
    """Reads workers' reports, each file again only if it has changed."""

    def __init__(self, run: Path) -> None:
        self._folder = run / "workers"
        self._stamps: dict[str, int] = {}
        self._read: dict[str, int] = {}
        self.reports: dict[str, WorkerReport] = {}

    def look(self) -> bool:
        """Read what is new; return whether anything was."""
        new = False
        for path in files_like(self._folder, "*.json"):
            stamp = path.stat().st_mtime_ns
            if self._stamps.get(path.name) != stamp:
                self._stamps[path.name] = stamp
                self.reports[path.name] = WorkerReport.from_json(json.loads(path.read_bytes()))
                new = True
        return new

    def complaints(self) -> list[str]:
        """The lines that workers' processes have written since they were last asked for."""
        lines: list[str] = []
        for path in files_like(self._folder, f"*{LOG}"):
            with path.open("rb") as file:
                file.seek(self._read.get(path.name, 0))
                whole, newline, _ = file.read().rpartition(b"\n")
            self._read[path.name] = self._read.get(path.name, 0) + len(whole + newline)
            lines += whole.decode(errors="replace").splitlines()
        return lines

    def ended(self, task: str) -> TaskEnded | None:
        """The samples of a task that has ended."""
        path = self._folder / f"{quote(task, safe='')}.ended"
        if not path.exists():
            return None
        values = json.loads(path.read_bytes())
        samples = {key or None: names for key, names in values["samples"].items()}
        return TaskEnded(samples, values["whole"])


def new_report(leases: Leases, device: str, hardware: Hardware) -> WorkerReport:
    """The report of a worker that begins."""
    return WorkerReport(
        worker=leases.owner.worker,
        session=leases.owner.session,
        host=platform.node(),
        process=os.getpid(),
        device=device,
        hardware=hardware,
        deaths=deaths(),
    )


def ended_by(error: Exception) -> Ended:
    """The report of an error that ends a worker."""
    kind = next(kind for kind, sort in ERRORS.items() if isinstance(error, sort))
    return Ended(kind, str(error))


def error_of(ended: Ended) -> Exception:
    """The error that ended a worker, to be raised by the run."""
    return ERRORS[ended.kind](ended.sentence)
