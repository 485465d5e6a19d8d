"""A worker: takes free chunks of a run, computes them, and stores their samples."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from frostbench.bench.runner.account import Account, Desk
from frostbench.bench.runner.built import Methods
from frostbench.bench.runner.chunk import Bench, Built
from frostbench.bench.runner.corpus import TaskScoring
from frostbench.bench.runner.frozen import ChangedError, Watch
from frostbench.bench.runner.guilty import Court
from frostbench.bench.runner.instances import Chunk, DataError, chunks_of, ended_early
from frostbench.bench.runner.manifest import machine_of, makers
from frostbench.bench.runner.plan import Plan, PlannedTask
from frostbench.bench.runner.preflight import check_built, check_lengths, load_replaced, trials
from frostbench.bench.runner.report import MethodNews, WorkerReport, check_fingerprint
from frostbench.bench.runner.rows import Lineup
from frostbench.bench.runner.watching import Counted, Watchers
from frostbench.bench.store.leases import Leases
from frostbench.bench.store.manifest import Failure, Manifest, TokenizerCounts
from frostbench.bench.store.records import Key
from frostbench.bench.store.writer import SampleWriter
from frostbench.plugins.contract.engine import Measures
from frostbench.plugins.host.containment import scene


@dataclass
class _Left:
    """A task of which others hold chunks."""

    planned: PlannedTask
    samples: dict[str | None, list[str]] = field(default_factory=dict)
    held: list[str] = field(default_factory=list)
    whole: bool = True


class Worker:
    """One worker's part of a run."""

    def __init__(
        self,
        plan: Plan,
        manifest: Manifest,
        done: Iterable[Key],
        leases: Leases,
        desk: Desk,
        report: WorkerReport,
    ) -> None:
        self._plan = plan
        self._manifest = manifest
        self._done = set(done)
        self._leases = leases
        self._desk = desk
        self._maker = makers(plan)
        self._samples = SampleWriter(plan.out, leases.owner.worker)
        self._since_checksum: set[Key] = set()
        self._account = Account(
            report, desk, manifest.notes, plan.limits.error_length, self._tokenized
        )
        self._watch = Watch(plan.backbones, plan.engine)
        note = self._account.note
        known = manifest.guilty, manifest.memory
        self._methods = Methods(plan, plan.tokens, self._watch, note, *known)
        self._told: set[str] = set()  # methods already reported as built, or not
        self._court = Court(plan, self._methods, self._watch)
        self._judged = 0  # number of the court's violations already reported
        self._watchers = Watchers(plan.observers, note)
        self._left: list[_Left] = []
        for sentence in plan.notes:
            note(sentence, shown=False)

    @property
    def report(self) -> WorkerReport:
        """What it has done until now."""
        return self._account.report

    def preflight(self) -> None:
        """Check, before anything is stored, whether the remaining tasks can work at all.

        Raises:
            PreflightError: a part of it cannot.
        """
        complete = {name for name, task in self._manifest.tasks.items() if task.complete}
        found = trials(self._plan, complete, self._done)
        load_replaced(self._plan, found)
        if self._plan.replaced:
            for _ in self._turns(name for trial in found for name in trial.methods):
                continue
        while isinstance(engine := self._court.plan.engine, Measures):
            try:
                check_lengths(self._plan, engine, found, self._turns, self._watch.check)
            except ChangedError as error:
                changed = error.with_traceback(None)
            else:
                break
            self._court.exclude_at_once(changed)
        self._judge()

    def go(self) -> None:
        """Do free chunks until all is done; then check that backbones are unchanged."""
        self._account.tell()
        self._watchers.started(self._manifest.to_json())
        for planned in self._plan.tasks:
            with scene(f"task {planned.task.card.name!r}"):
                self._task(planned)
        while self._left:
            self._settle()
        self._court.finish()
        self._judge()
        self._describe_backbones(after=True)
        self._account.tell()

    def finished(self, manifest: Manifest) -> None:
        """Tell observers that the run has ended, or this worker's part of it."""
        self._watchers.finished(manifest.to_json())
        self._account.tell()

    def _task(self, planned: PlannedTask) -> None:
        name = planned.task.card.name
        rows = self._plan.lineups[name]
        if not rows.pairs:
            return
        self._desk.begun(name)
        if self._manifest.tasks[name].complete:
            return
        left = _Left(planned)
        try:
            for chunk in self._take(planned, rows):
                left.samples.setdefault(chunk.protocol, []).extend(chunk.names)
                key = _key(planned, chunk)
                if self._leases.state(key) == "held" or self._to_do(planned, rows, chunk):
                    left.held.append(key)
        except DataError as error:
            left.whole = False
            self._account.fail(Failure(str(error), task=name))
        self._left.append(left)
        self._close_done()

    def _settle(self) -> None:
        """Wait for what other workers hold, and take what they release."""
        for left in self._left:
            free = {key for key in left.held if self._leases.state(key) == "free"}
            if free:
                rows = self._plan.lineups[left.planned.task.card.name]
                with scene(f"task {left.planned.task.card.name!r}"):
                    try:
                        for _ in self._take(left.planned, rows, free):
                            continue
                    except DataError as error:
                        left.whole = False
                        left.held = []
                        self._account.fail(Failure(str(error), task=left.planned.task.card.name))
        self._close_done()
        if self._left:
            self._desk.wait()

    def _close_done(self) -> None:
        """Report as ended the tasks of which no worker holds a chunk any more."""
        for left in list(self._left):
            left.held = [key for key in left.held if self._leases.state(key) != "done"]
            if left.held:
                continue
            self._left.remove(left)
            if left.whole and (sentence := ended_early(left.planned, left.samples)):
                self._account.note(sentence)
            self._account.tell()
            name = left.planned.task.card.name
            self._desk.ended(name, left.samples, whole=left.whole)

    def _take(
        self, planned: PlannedTask, rows: Lineup, wanted: set[str] | None = None
    ) -> Iterator[Chunk]:
        """The chunks of a task, each after it was run if it is missing and free."""
        scoring: TaskScoring | None = None
        for chunk in chunks_of(planned, self._plan.seed, self._plan.chunk):
            key = _key(planned, chunk)
            if (wanted is None or key in wanted) and self._to_do(planned, rows, chunk):
                if scoring is None:
                    scoring = self._scoring(planned)
                if self._leases.claim(key):
                    if self._leases.taken_over:  # by a worker that may have stored it
                        self._done |= self._samples.stored(planned.task.card.name)
                        self._leases.taken_over.clear()
                    self._exclude_others()
                    try:
                        self._chunk(planned, rows, chunk, scoring)
                    except DataError:
                        self._leases.finish(key)
                        raise
                    self._leases.finish(key)
            yield chunk

    def _to_do(self, planned: PlannedTask, rows: Lineup, chunk: Chunk) -> bool:
        """Whether a chunk is free and has to be done.

        A chunk that a dead worker left is finished even if nothing of it is missing here: a worker
        that does not know that it is stored would take it and write it again.
        """
        key = _key(planned, chunk)
        if self._leases.state(key) != "free":
            return False
        return self._leases.abandoned(key) or bool(self._missing(planned, rows, chunk))

    def _scoring(self, planned: PlannedTask) -> TaskScoring:
        name = planned.task.card.name
        known = self._manifest.tasks[name].corpus
        scoring = TaskScoring(self._court.plan, planned, self._samples.blobs, known)
        self._account.corpus(name, scoring.corpus)
        return scoring

    def _chunk(
        self, planned: PlannedTask, rows: Lineup, chunk: Chunk, scoring: TaskScoring
    ) -> None:
        """Run a chunk, and store those of its samples that are missing."""
        self._build(row.method for row in rows.rows)
        missing = self._missing(planned, rows, chunk)
        if not missing:
            return

        def opened(plan: Plan, built: Mapping[str, Built]) -> Bench:
            return Bench(
                planned=planned,
                lineup=rows,
                built=built,
                engine=Counted(plan.engine, self._account.prompts),
                scoring=scoring.under(plan),
                blobs=self._samples.blobs,
                seed=self._plan.seed,
                gallery=self._plan.gallery,
                note=self._account.note,
                watch=self._watch,
                ledger=self._methods.ledger,
            )

        there = dict.fromkeys(row.method for row in rows.rows)
        try:
            made = self._court.run(
                opened, chunk, [name for name in there if name not in self._methods.failed]
            )
        finally:
            self._judge()
        self._tell_built()
        sizes = {name: one.tokenizing.tally.size for name, one in self._methods.ready.items()}
        self._account.measured(self._methods.ledger.measured, sizes)
        made = [record for record in made if record.key in missing]
        here = machine_of(self.report.hardware)
        records = [
            replace(self._watchers.scored(record), made_by=self._maker(record), machine=here)
            for record in made
        ]
        if not self._leases.mine(_key(planned, chunk)):
            return  # it took so long that another worker has it
        self._samples.append(records)
        self._done.update(record.key for record in records)
        self._since_checksum.update(record.key for record in records)
        self._account.stored(planned.task.card.name, records)

    def _missing(self, planned: PlannedTask, rows: Lineup, chunk: Chunk) -> set[Key]:
        """The chunk's missing samples, without methods that cannot be built."""
        pairs = [pair for pair in rows.pairs if pair[0] not in self._methods.failed]
        keys = {
            (planned.task.card.name, chunk.protocol, method, control, name)
            for method, control in pairs
            for name in chunk.names
        }
        return keys - self._done

    def _build(self, names: Iterable[str]) -> dict[str, Built]:
        """Build those methods that can be built and fit together; report what is new about them.

        Raises:
            StoreError: a method or backbone is another than when the run began.
            PreflightError: a method cannot be built with a backbone that the user named.
        """
        built = self._court.built(names)
        self._tell_built()
        return built

    def _turns(self, names: Iterable[str]) -> Iterator[dict[str, Built]]:
        """All of these methods, in groups that fit together."""
        left = list(names)
        while left:
            yield self._build(left)
            left = [name for name in left if name in self._methods.waiting]
            if left:
                self._court.make_room((), left)

    def _tell_built(self) -> None:
        new = {*self._methods.ready, *self._methods.failed} - self._told
        self._told |= new
        check_built(self._plan, self._methods.unbuilt)
        if new:
            self._describe_backbones()
        for name in sorted(new & set(self._methods.ready)):
            notes = self._methods.notes(name)
            fingerprint = self._methods.fingerprint(name)
            known = self._manifest.methods[name].fingerprint
            check_fingerprint(name, known, fingerprint, str(self._plan.out))
            self._account.method(name, MethodNews(fingerprint, notes))
        # The guilty are reported with what they changed.
        left_out = self._methods.failed.keys() - self._methods.guilty.keys()
        for name in sorted(new & left_out):
            self._account.method(name, MethodNews(error=self._methods.failed[name]))

    def _describe_backbones(self, *, after: bool = False) -> None:
        known = {**self._manifest.backbones, **self.report.backbones}
        self._account.backbones(self._watch.describe(known, after=after))

    def _exclude_others(self) -> None:
        """Leave out the methods that changed what is frozen in another worker."""
        for name, sentence in self._desk.guilty().items():
            if name not in self._methods.failed:
                self._methods.exclude(name, sentence)

    def _judge(self) -> None:
        """Report what the court has found since it was last asked."""
        new = self._court.violations[self._judged :]
        self._judged = len(self._court.violations)
        for violation in new:
            void = self._since_checksum if violation.void else ()
            self._account.violation(violation.sentence, violation.methods, void)
            if violation.void:
                self._since_checksum = set()
                for built in self._methods.ready.values():
                    built.tokenizing.forget()
                self._account.tell()

    def _tokenized(self) -> dict[str, TokenizerCounts]:
        """The counts of the methods' tokenizers."""
        return {name: one.tokenizing.counts for name, one in self._methods.ready.items()}


def _key(planned: PlannedTask, chunk: Chunk) -> str:
    """The name of a chunk's lease."""
    return f"{planned.task.card.name}@{chunk.protocol or ''}.{chunk.index}"
