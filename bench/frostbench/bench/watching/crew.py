"""The workers of a run: what they hold, who died, and who took over."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from frostbench.bench.runner.mail import LEADER, Inbox
from frostbench.bench.runner.report import WorkerReport
from frostbench.bench.store.atomic import reading
from frostbench.bench.store.leases import Beat, Lease, Owner, beats_of, leases_of

State = Literal["at work", "waiting", "done", "silent", "died"]
OWN = "the run"
"""The name of the process that keeps a run."""


@dataclass(frozen=True)
class WorkerStanding:
    """A worker: its last session, what it has done in it, and the chunks that it holds.

    `quiet` are the seconds since its last sign of life.
    """

    name: str
    state: State
    quiet: float
    samples: int = 0
    failed: int = 0
    seconds: float = 0.0
    where: str = ""
    holds: tuple[str, ...] = ()

    @property
    def rate(self) -> float | None:
        """Samples a second; None where it is not known."""
        return self.samples / self.seconds if self.samples and self.seconds else None


@dataclass(frozen=True)
class CrewStanding:
    """All workers, how many chunks are done and held, and sentences on deaths."""

    workers: tuple[WorkerStanding, ...] = ()
    done: int = 0
    held: int = 0
    told: tuple[str, ...] = ()

    @property
    def kept(self) -> bool:
        """Whether a process keeps the run."""
        return any(one.name == OWN and one.state in ("at work", "waiting") for one in self.workers)


class CrewWatch:
    """Looks at a run's workers again and again, and remembers who died.

    Reports of deaths are remembered: the files that show them are gone when the run ends.
    """

    def __init__(self, run: Path, lease: float) -> None:
        self._run = run
        self._lease = lease
        self._inbox = Inbox(run)
        self._told: dict[str, str] = {}  # by session, or by sentence

    def look(self) -> CrewStanding:
        """The workers as of now."""
        with suppress(FileNotFoundError), reading(self._run / "workers"):
            self._inbox.look()  # the run may end, and remove its workers' files
        reports = list(self._inbox.reports.values())
        beats = {beat.worker: beat for beat in beats_of(self._run)}
        leases = leases_of(self._run)
        last = {one.key: one for one in leases}
        self._tell(reports, beats, leases)
        held = [one for one in last.values() if not one.done]
        return CrewStanding(
            tuple(self._worker(beat, reports, held) for beat in beats.values()),
            sum(one.done for one in last.values()),
            len(held),
            tuple(self._told.values()),
        )

    def _worker(
        self, beat: Beat, reports: Sequence[WorkerReport], held: Sequence[Lease]
    ) -> WorkerStanding:
        mine = [one for one in reports if one.worker == beat.worker]
        report = next((one for one in mine if one.session == beat.session), None)
        report = report or (mine[-1] if mine and not beat.session else None)
        holds = tuple(
            one.key
            for one in held
            if one.owner is not None and one.owner == Owner(beat.worker, beat.session)
        )
        quiet = max(0.0, time.time() - beat.at)
        state: State = "at work" if holds else "waiting"
        if not beat.session:
            state = "done" if report is None or report.finished else "died"
        elif quiet > self._lease:
            state = "silent"
        return WorkerStanding(
            _called(beat.worker),
            state,
            quiet,
            0 if report is None else report.stored,
            0 if report is None else sum(one.samples for one in report.failed),
            0.0 if report is None else report.seconds,
            "" if report is None else f"{report.host}, process {report.process}, {report.device}",
            holds,
        )

    def _tell(
        self, reports: Sequence[WorkerReport], beats: Mapping[str, Beat], leases: Sequence[Lease]
    ) -> None:
        """Sentences on sessions that ended before their work was done, and on who took it over."""
        ended = {(one.worker, one.session) for one in reports if one.finished or one.ended}
        seen = {(one.worker, one.session) for one in reports}
        seen |= {(one.owner.worker, one.owner.session) for one in leases if one.owner}
        for worker, session in sorted(seen - ended):
            beat = beats.get(worker)
            if beat is not None and beat.session != session:
                after = "and was started again" if beat.session else "and is gone"
                self._told[session] = f"{_called(worker)} died ({session}) {after}."
        for one in reports:
            if one.ended is not None:
                self._told[one.session] = f"{_called(one.worker)} ended: {one.ended.sentence}"
        before: dict[str, Lease] = {}
        for lease in leases:
            first = before.get(lease.key)
            if first is not None and first.owner is not None and lease.owner is not None:
                took = f"{_called(lease.owner.worker)} ({lease.owner.session}) took over"
                left = f"{_called(first.owner.worker)} ({first.owner.session})"
                said = f"{took} the chunk {lease.key} from {left}."
                self._told[said] = said
            before[lease.key] = lease


def _called(worker: str) -> str:
    return OWN if worker == LEADER else f"worker {worker}"
