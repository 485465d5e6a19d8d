"""Runs a plan, in this process or by workers in processes of their own."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from frostbench.bench.runner.crew import Crew
from frostbench.bench.runner.guilty import void
from frostbench.bench.runner.mail import LEADER, Inbox, error_of, new_report
from frostbench.bench.runner.manifest import after_session, failures_of, makers, now, plain
from frostbench.bench.runner.plan import Plan
from frostbench.bench.runner.preflight import PreflightError
from frostbench.bench.runner.progress import Progress, Quiet
from frostbench.bench.runner.report import WorkerReport, folded, with_violations
from frostbench.bench.runner.resuming import (
    manifest_of,
    refuse_strangers,
    take_up,
    without_failed,
    without_grown,
)
from frostbench.bench.runner.wholes import with_wholes
from frostbench.bench.runner.worker import Worker
from frostbench.bench.store.atomic import StoreError
from frostbench.bench.store.leases import Leases, forget_leases
from frostbench.bench.store.lock import RunLock
from frostbench.bench.store.manifest import LastSession, TokenizerCounts
from frostbench.bench.store.previous import set_aside
from frostbench.bench.store.reader import StoredRun, open_run
from frostbench.bench.store.records import Key
from frostbench.bench.store.writer import RunWriter, forget
from frostbench.plugins.host.containment import deaths, failed_by_death, interruptible
from frostbench.plugins.host.limits import limited

POLL = 0.2  # seconds between two looks at what workers tell


def run(plan: Plan, progress: Progress | None = None, crew: Crew | None = None) -> StoredRun:
    """Execute a plan, or resume where an earlier process was killed.

    With a `crew` its workers do it, and this process waits for them. Failures are results: they are
    stored and listed in the manifest, and `failed` of the returned run says whether there were any.

    Raises:
        Interrupted: the user pressed Ctrl-C; what is stored can be resumed.
        StoreError: the folder is in use, holds something else or a run of another plan, or
            cannot be written. On `StoreFullError`, what is stored can be resumed.
        CrewError: all workers died repeatedly.
    """
    shown = progress or Quiet()
    refuse_strangers(plan.out)
    with RunLock(plan.out), shown, limited(plan.limits), interruptible():
        if plan.again:
            kept = set_aside(plan.out)
            forget(plan.out)
            if kept is not None:
                shown.note(f"the run before is kept in {kept}.")
        session = _Session(plan, shown)
        with failed_by_death(session.deaths):
            return session.go(crew)


class _Session:
    """The work of the process that keeps a run: manifest, seals, and progress.

    It is the `Desk` of the worker in this process, and reads the reports of others.
    """

    def __init__(self, plan: Plan, progress: Progress) -> None:
        self._plan = plan
        self._progress = progress
        self._begun = time.perf_counter()
        self._fresh = not (plan.out / "manifest.json").exists()
        manifest = manifest_of(plan)
        self._writer = RunWriter(plan.out)
        self._voided: set[tuple[str, str]] = set()
        left = Inbox(plan.out)
        left.look()
        for report in left.reports.values():
            self._void(report)
            manifest = with_violations(manifest, report.violations)
        told = len(manifest.notes)
        manifest, records = take_up(plan, manifest, self._writer, makers(plan))
        for sentence in manifest.notes[told:]:
            progress.note(sentence)
        if plan.retry_failed:
            manifest, records = without_failed(manifest, self._writer, records)
        records = without_grown(plan, manifest, self._writer, records)
        known = {} if plan.retry_failed else manifest.deaths
        self._before = self._manifest = replace(manifest, deaths={**known, **deaths()})
        self._done: set[Key] = {record.key for record in records}
        self._stale = failures_of(records)
        self._own: WorkerReport | None = None
        self._crew: Crew | None = None
        forget_leases(plan.out)
        self._inbox = Inbox(plan.out)
        self._said: set[str] = set()
        self._sealed: set[str] = set()
        self._current = ""
        self._counted = self._prompted = 0

    @property
    def deaths(self) -> Mapping[str, str]:
        """How the process died before, also in earlier sessions, by part."""
        return self._manifest.deaths

    def go(self, crew: Crew | None) -> StoredRun:
        """All tasks, then the check that backbones stayed as they were."""
        leases = Leases(self._plan.out, LEADER, self._plan.lease)
        self._crew = crew
        try:
            with leases.beating():
                if crew is None:
                    self._alone(leases)
                else:
                    self._together(crew, leases)
        except PreflightError:
            if self._fresh:
                forget(self._plan.out)
            raise
        forget_leases(self._plan.out)
        return open_run(self._plan.out)

    def _alone(self, leases: Leases) -> None:
        """Do the work in this process; others may join it."""
        report = new_report(leases, self._plan.device, self._before.hardware)
        worker = Worker(self._plan, self._before, self._done, leases, self, report)
        worker.preflight()
        self._open()
        try:
            worker.go()
            self._inbox.look()
            self._wait_for_guests(leases)
            self._finish()
        finally:
            self._save_at_the_end()
        worker.finished(self._manifest)

    def _together(self, crew: Crew, leases: Leases) -> None:
        """Wait for workers in other processes."""
        self._open()
        try:
            crew.start()
            for planned in self._plan.tasks:
                name = planned.task.card.name
                if self._plan.lineups[name].pairs:
                    self.begun(name)
                    while not self._manifest.tasks[name].complete and name not in self._sealed:
                        self._look_after(crew, leases)
            while self._look_after(crew, leases):
                continue
            self._wait_for_guests(leases)
            self._finish()
        finally:
            crew.stop()
            self._save_at_the_end()

    def _wait_for_guests(self, leases: Leases) -> None:
        """Wait for workers that were not started here, until their last sign of life."""
        while any(leases.lives(one.worker, one.session) for one in self._inbox.reports.values()):
            self.wait()

    def _look_after(self, crew: Crew, leases: Leases) -> bool:
        """Read workers' reports, and restart workers that died; return whether any is at work."""
        crew.poll()
        self.wait()
        reports = self._reports()
        stored = sum(one.stored for one in reports)
        return crew.look(stored, {one.worker for one in reports if one.finished}, leases)

    def _open(self) -> None:
        """Write the manifest, before the first sample."""
        from omegaconf import OmegaConf

        self._save()
        self._writer.write_plugins(self._plan.facts.plugins)
        self._writer.write_config(OmegaConf.to_yaml(OmegaConf.create(plain(self._plan.config))))
        if self._plan.opened is not None:
            self._plan.opened(len(self._done))

    def begun(self, task: str) -> None:
        """A task begins."""
        (planned,) = (one for one in self._plan.tasks if one.task.card.name == task)
        total = self._plan.most_samples(planned)
        self._current, self._counted = task, self._stored(task)
        before = sum(key[0] == task for key in self._done)
        self._progress.task(task, total, before + self._counted)
        if self._manifest.tasks[task].complete:
            self._progress.end()

    def told(self, report: WorkerReport) -> None:
        """Record what the worker in this process did."""
        self._own = report
        self._void(report)
        self._inbox.look()
        self._take_in()

    def prompts(self, count: int) -> None:
        """So many prompts were handed to the engine."""
        self._progress.prompts(count)

    def guilty(self) -> Mapping[str, str]:
        """The methods that changed what is frozen."""
        return self._manifest.guilty

    def wait(self) -> None:
        """Wait a moment, and read other workers' reports."""
        time.sleep(POLL)
        for line in self._inbox.complaints():
            self._progress.note(line)
        if self._inbox.look():
            mine = () if self._crew is None else self._crew.names
            for report in self._inbox.reports.values():
                if report.ended is not None and report.worker in mine:
                    raise error_of(report.ended)
            self._take_in()
        for planned in self._plan.tasks:
            name = planned.task.card.name
            ended = None if name in self._sealed else self._inbox.ended(name)
            if ended is not None:
                self.ended(name, ended.samples, whole=ended.whole)

    def ended(self, task: str, samples: Mapping[str | None, Sequence[str]], *, whole: bool) -> None:
        """All chunks of a task are done: seal it."""
        if task in self._sealed:
            return
        self._sealed.add(task)
        for protocol, names in samples.items():
            self._writer.seal(task, protocol, names)
        counts = {protocol or "": len(names) for protocol, names in samples.items()}
        self._number(task)
        rows = {row.method for row in self._plan.lineups[task].rows}
        built = all(self._manifest.methods[name].error is None for name in rows)
        complete = whole and built
        self._before = self._before.with_task(task, complete=complete, samples=counts)
        if task == self._current:
            self._progress.end()
        self._save()

    def _number(self, task: str) -> None:
        """Compute what is one number of all samples of a task."""
        (planned,) = (one for one in self._plan.tasks if one.task.card.name == task)
        metrics = self._plan.metrics_of(planned)
        if any(metric.facts.pooling == "whole" for metric in metrics.values()):
            mine = [record for record in self._writer.records() if record.task == task]
            changed, sentences = with_wholes(mine, metrics, self._writer.blobs)
            self._writer.replace(changed)
            for sentence in sentences:
                self._progress.note(sentence)
            told = dict.fromkeys((*self._before.notes, *sentences))
            self._before = replace(self._before, notes=tuple(told))

    def _reports(self) -> list[WorkerReport]:
        own = [] if self._own is None else [self._own]
        return [*own, *self._inbox.reports.values()]

    def _stored(self, task: str) -> int:
        """Samples of a task that this session has stored."""
        return sum(one.samples.get(task, 0) for one in self._reports())

    def _take_in(self) -> None:
        """Show and store what is new."""
        reports = self._reports()
        for sentence in dict.fromkeys(one for report in reports for one in report.said):
            if sentence not in self._said:
                self._said.add(sentence)
                self._progress.note(sentence)
        counted = self._stored(self._current)
        if counted > self._counted:
            self._progress.advance(counted - self._counted)
            self._counted = counted
        prompted = sum(one.prompts for one in self._inbox.reports.values())
        if prompted > self._prompted:
            self._progress.prompts(prompted - self._prompted)
            self._prompted = prompted
        # Between two tasks only counts change, which need not survive a loss of power.
        self._save(sync=False)

    def _void(self, report: WorkerReport) -> None:
        """Turn the samples that a report declares void into failures."""
        for one in report.violations:
            if one.void and (report.session, one.sentence) not in self._voided:
                self._voided.add((report.session, one.sentence))
                void(self._writer, set(one.void), one.sentence)

    def _finish(self) -> None:
        for report in self._reports():
            self._void(report)
        self._save()
        sampled = self._done or any(one.samples for one in self._reports())
        failed = bool(self._manifest.violations or (self._manifest.failures and not sampled))
        status: Literal["failed", "finished"] = "failed" if failed else "finished"
        self._before = replace(self._before, status=status, finished=now())

    def _save_at_the_end(self) -> None:
        # However it ends, the time was spent; a full disk keeps the manifest as it was.
        try:
            self._save()
        except StoreError as error:
            self._progress.note(str(error))

    def _save(self, *, sync: bool = True) -> None:
        """Bring the manifest up to date and put it in place of the last."""
        reports = self._reports()
        counts: dict[str, TokenizerCounts] = {}
        for report in reports:
            for name, count in report.tokenizer.items():
                counts[name] = counts.get(name, TokenizerCounts()) + count
        stored = sum(one.stored for one in reports)
        session = LastSession(time.perf_counter() - self._begun, stored, counts, self._plan.launch)
        manifest = folded(self._before, reports, self._stale)
        notes = [] if self._crew is None else self._crew.notes
        manifest = replace(manifest, notes=(*manifest.notes, *notes))
        self._manifest = after_session(manifest, self._before, session)
        self._writer.write_manifest(self._manifest, sync=sync)
