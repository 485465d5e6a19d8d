"""Running a plan."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from frostbench.bench.runner.built import Methods
from frostbench.bench.runner.chunk import Bench, Built
from frostbench.bench.runner.corpus import TaskScoring
from frostbench.bench.runner.frozen import ChangedError, Watch
from frostbench.bench.runner.guilty import Court, void
from frostbench.bench.runner.instances import Chunk, DataError, chunks_of, ended_early
from frostbench.bench.runner.manifest import (
    after_session,
    failures_of,
    machine_of,
    makers,
    now,
    plain,
)
from frostbench.bench.runner.plan import Plan, PlannedTask
from frostbench.bench.runner.preflight import check_built, check_lengths, load_replaced, trials
from frostbench.bench.runner.progress import Progress, Quiet
from frostbench.bench.runner.resuming import manifest_of, refuse_strangers, take_up, without_failed
from frostbench.bench.runner.rows import Lineup
from frostbench.bench.runner.watching import Counted, Watchers
from frostbench.bench.store.atomic import StoreError
from frostbench.bench.store.lock import RunLock
from frostbench.bench.store.manifest import Failure, LastSession
from frostbench.bench.store.reader import StoredRun, open_run
from frostbench.bench.store.records import Key, Record
from frostbench.bench.store.writer import RunWriter, forget
from frostbench.plugins.contract.engine import Measures
from frostbench.plugins.host.containment import deaths, failed_by_death, interruptible, scene
from frostbench.plugins.host.errors import cut
from frostbench.plugins.host.limits import limited


def run(plan: Plan, progress: Progress | None = None) -> StoredRun:
    """Execute a plan, or go on where an earlier process was killed.

    What fails is a result: it is stored as failed and told in the manifest, and `failed` of the
    returned run says whether there was any.

    Raises:
        Interrupted: the user pressed Ctrl-C; what is stored can be resumed.
        StoreError: the folder is in use, holds something else or a run of another plan, or
            cannot be written. On `StoreFullError`, what is stored can be resumed.
    """
    shown = progress or Quiet()
    refuse_strangers(plan.out)
    with RunLock(plan.out), shown, limited(plan.limits), interruptible():
        if plan.again:
            forget(plan.out)
        session = _Session(plan, shown)
        with failed_by_death(session.deaths):
            return session.go()


class _Session:
    """One process's part of a run."""

    def __init__(self, plan: Plan, progress: Progress) -> None:
        self._plan = plan
        self._progress = progress
        self._begun = time.perf_counter()
        self._maker = makers(plan)
        self._manifest = manifest_of(plan)
        self._writer = RunWriter(plan.out, plan.worker)
        told = len(self._manifest.notes)
        self._manifest, records = take_up(plan, self._manifest, self._writer, self._maker)
        for sentence in self._manifest.notes[told:]:
            progress.note(sentence)
        guilty = self._manifest.guilty
        if plan.retry_failed:
            self._manifest, records = without_failed(self._manifest, self._writer, records)
        known = {} if plan.retry_failed else self._manifest.deaths
        self._manifest = replace(self._manifest, deaths={**known, **deaths()})
        self._before = self._manifest
        self._done: set[Key] = {record.key for record in records}
        self._since_checksum: set[Key] = set()
        self._failed = [record for record in records if record.status == "failed"]
        self._failures: list[Failure] = []
        self._stored = 0
        self._watch = Watch(plan.backbones, plan.engine)
        self._methods = Methods(plan, plan.tokens, self._watch, self._note, guilty)
        self._court = Court(plan, self._methods, self._watch)
        self._judged = 0  # of the court's violations
        self._watchers = Watchers(plan.observers, self._note)
        for sentence in plan.notes:
            self._note(sentence, shown=False)

    @property
    def deaths(self) -> Mapping[str, str]:
        """What the process died of before, also in earlier sessions, by part."""
        return self._manifest.deaths

    def go(self) -> StoredRun:
        """All tasks, then the check that backbones stayed as they were."""
        from omegaconf import OmegaConf

        self._preflight()
        self._save()
        self._writer.write_config(OmegaConf.to_yaml(OmegaConf.create(plain(self._plan.config))))
        self._watchers.started(self._manifest.to_json())
        try:
            for planned in self._plan.tasks:
                with scene(f"task {planned.task.card.name!r}"):
                    self._task(planned)
            self._finish()
        finally:
            # However it ends, the time was spent; a full disk keeps the manifest as it was.
            try:
                self._save()
            except StoreError as error:
                self._progress.note(str(error))
        self._watchers.finished(self._manifest.to_json())
        return open_run(self._plan.out)

    def _preflight(self) -> None:
        """See, before anything is stored, whether what is still to begin can work at all.

        Raises:
            PreflightError: a part of it cannot.
        """
        complete = {name for name, task in self._manifest.tasks.items() if task.complete}
        found = trials(self._plan, complete, self._done)
        load_replaced(self._plan, found)
        if self._plan.replaced:
            self._build(name for trial in found for name in trial.methods)
        while isinstance(engine := self._court.plan.engine, Measures):
            try:
                check_lengths(self._plan, engine, found, self._build, self._watch.check)
            except ChangedError as error:
                changed = error.with_traceback(None)
            else:
                break
            self._court.exclude_at_once(changed)
        self._judge()

    def _task(self, planned: PlannedTask) -> None:
        card = planned.task.card
        entry = self._manifest.tasks[card.name]
        rows = self._plan.lineups[card.name]
        each = len(rows.rows) + len(rows.free)
        total = planned.limit * max(1, len(card.protocols)) * each
        self._progress.task(card.name, total, sum(key[0] == card.name for key in self._done))
        if entry.complete or not each:
            self._progress.end()
            return
        samples: dict[str | None, list[str]] = {}
        whole = True
        try:
            scoring = TaskScoring(self._court.plan, planned, self._writer.blobs, entry.corpus)
            self._manifest = self._manifest.with_task(card.name, corpus=scoring.corpus)
            for chunk in chunks_of(planned, self._plan.seed, self._plan.chunk):
                samples.setdefault(chunk.protocol, []).extend(chunk.names)
                self._chunk(planned, rows, chunk, scoring)
        except DataError as error:
            whole = False
            self._fail(Failure(str(error), task=card.name))
        for protocol, names in samples.items():
            self._writer.seal(card.name, protocol, names)
        if whole and (sentence := ended_early(planned, samples)):
            self._note(sentence)
        built = not any(row.method in self._methods.failed for row in rows.rows)
        counts = {protocol or "": len(names) for protocol, names in samples.items()}
        self._manifest = self._manifest.with_task(
            card.name, complete=whole and built, samples=counts
        )
        self._progress.end()
        self._save()

    def _chunk(
        self, planned: PlannedTask, rows: Lineup, chunk: Chunk, scoring: TaskScoring
    ) -> None:
        """Run a chunk whole if any of its samples is missing, and store the missing ones."""
        self._forget_grown(planned, chunk)
        if not self._missing(planned, rows, chunk):
            return
        built = self._build(row.method for row in rows.rows)
        missing = self._missing(planned, rows, chunk)
        if not missing:
            return

        def opened(plan: Plan, built: Mapping[str, Built]) -> Bench:
            return Bench(
                planned=planned,
                lineup=rows,
                built=built,
                engine=Counted(plan.engine, self._progress),
                scoring=scoring.under(plan),
                blobs=self._writer.blobs,
                seed=self._plan.seed,
                gallery=self._plan.gallery,
                note=self._note,
                watch=self._watch,
            )

        try:
            made = self._court.run(opened, chunk, list(built))
        finally:
            self._judge()
        made = [record for record in made if record.key in missing]
        here = machine_of(self._manifest.hardware)
        records = [
            replace(self._watchers.scored(record), made_by=self._maker(record), machine=here)
            for record in made
        ]
        self._writer.append(records)
        self._done.update(record.key for record in records)
        self._since_checksum.update(record.key for record in records)
        self._stored += len(records)
        self._tell_failed([record for record in records if record.status == "failed"])
        self._save(sync=False)
        self._progress.advance(len(records))

    def _missing(self, planned: PlannedTask, rows: Lineup, chunk: Chunk) -> set[Key]:
        """What the chunk should have and has not, without methods that cannot be built."""
        pairs = [pair for pair in rows.pairs if pair[0] not in self._methods.failed]
        keys = {
            (planned.task.card.name, chunk.protocol, method, control, name)
            for method, control in pairs
            for name in chunk.names
        }
        return keys - self._done

    def _forget_grown(self, planned: PlannedTask, chunk: Chunk) -> None:
        """Drop a chunk that was shorter under a smaller limit: it is other company now."""
        card = planned.task.card
        limits = self._manifest.tasks[card.name].grown_from
        end = chunk.start + len(chunk.names)
        if not any(chunk.start < limit < end for limit in limits):
            return
        samples = set(chunk.names)

        def old(record: Record) -> bool:
            same = (record.task, record.protocol) == (card.name, chunk.protocol)
            return same and record.sample in samples

        self._failed = [record for record in self._failed if not old(record)]
        self._done -= {
            key
            for key in self._done
            if key[:2] == (card.name, chunk.protocol) and key[-1] in samples
        }
        self._writer.drop(old)

    def _build(self, names: Iterable[str]) -> dict[str, Built]:
        """Methods, built; what is new about them goes into the manifest.

        Raises:
            StoreError: a method or backbone is another than when the run began.
            PreflightError: a method cannot be built with a backbone that the user named.
        """
        tried = {*self._methods.ready, *self._methods.failed}
        built = self._court.built(names)
        new = {*self._methods.ready, *self._methods.failed} - tried
        check_built(self._plan, self._methods.unbuilt)
        if new:
            self._describe_backbones()
        for name in sorted(new & set(self._methods.ready)):
            fingerprint = self._methods.fingerprint(name)
            if self._manifest.methods[name].fingerprint not in (None, fingerprint):
                raise StoreError(
                    f"method {name!r} makes other visual tokens than when the run in "
                    f"{self._plan.out} began (its weights, settings or code changed); choose "
                    "another folder with out=, or remove this one."
                )
            notes = self._methods.notes(name)
            self._manifest = self._manifest.with_method(
                name, fingerprint=fingerprint, status="ok", error=None, notes=notes
            )
            for sentence in notes:
                self._progress.note(f"{name}: {sentence}")
        # The guilty are told with what they changed.
        left_out = self._methods.failed.keys() - self._methods.guilty.keys()
        for name in sorted(new & left_out):
            error = self._methods.failed[name]
            self._manifest = self._manifest.with_method(name, status="failed", error=error)
            self._fail(Failure(error, method=name))
        return built

    def _describe_backbones(self, *, after: bool = False) -> None:
        backbones = self._watch.describe(self._manifest.backbones, after=after)
        self._manifest = replace(self._manifest, backbones=backbones)

    def _judge(self) -> None:
        """Tell what the court has found since it was last asked."""
        new = self._court.violations[self._judged :]
        self._judged = len(self._court.violations)
        for violation in new:
            self._progress.note(violation.sentence)
            self._manifest = self._manifest.with_violation(violation.sentence, violation.methods)
        untrusted = [violation.sentence for violation in new if violation.void]
        if untrusted:
            self._void(untrusted[0])

    def _void(self, sentence: str) -> None:
        """Fail all samples since the last full checksum, and forget the tokens made meanwhile."""
        records = void(self._writer, self._since_checksum, sentence)
        self._failed = [one for one in self._failed if one.key not in self._since_checksum]
        self._failed += records
        self._since_checksum.clear()
        for built in self._methods.ready.values():
            built.tokenizing.forget()

    def _finish(self) -> None:
        self._court.finish()
        self._judge()
        self._describe_backbones(after=True)
        failed = bool(self._manifest.violations)
        status: Literal["failed", "finished"] = "failed" if failed else "finished"
        self._manifest = replace(self._manifest, status=status, finished=now())

    def _save(self, *, sync: bool = True) -> None:
        """Bring the manifest up to date and put it in place of the last.

        Between two tasks only counts change, which need not survive a loss of power.
        """
        counts = {name: built.tokenizing.counts for name, built in self._methods.ready.items()}
        session = LastSession(time.perf_counter() - self._begun, self._stored, counts)
        failures = (*self._failures, *failures_of(self._failed))
        self._manifest = after_session(self._manifest, self._before, session, failures)
        self._writer.write_manifest(self._manifest, sync=sync)

    def _fail(self, failure: Failure) -> None:
        self._failures.append(failure)
        self._progress.note(failure.error)

    def _tell_failed(self, records: Sequence[Record]) -> None:
        self._failed += records
        for failure in failures_of(records):
            if failure.error in self._manifest.violations:
                continue  # that was told
            count = failure.samples
            others = f" ({count - 1} more samples failed beside it)" if count > 1 else ""
            self._progress.note(f"{failure.error}{others}")

    def _note(self, sentence: str, *, shown: bool = True) -> None:
        sentence = cut(sentence, 2 * self._plan.limits.error_length)
        if sentence not in self._manifest.notes:
            notes = (*self._manifest.notes, sentence)
            self._manifest = replace(self._manifest, notes=notes)
            if shown:
                self._progress.note(sentence)
