"""Finds the method that changed a frozen model, by running the chunk again one by one."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from frostbench.bench.runner.built import Methods
from frostbench.bench.runner.chunk import Bench, Built
from frostbench.bench.runner.frozen import ChangedError, Watch
from frostbench.bench.runner.instances import Chunk, DataError
from frostbench.bench.runner.plan import Plan
from frostbench.bench.store.records import Key, Record
from frostbench.bench.store.writer import RunWriter
from frostbench.plugins.backbones.devices import device_of, release_memory
from frostbench.plugins.contract.engine import Engine

Opened = Callable[[Plan, Mapping[str, Built]], Bench]
"""Makes the bench on which these methods run a task, with the plan's engine and metrics."""


@dataclass(frozen=True)
class Violation:
    """A sentence on what was changed, and the methods that did it, if they are known.

    `void` says that everything which this process has stored cannot be trusted.
    """

    sentence: str
    methods: tuple[str, ...] = ()
    void: bool = False


class Court:
    """Runs chunks so that no row from a changed model is stored.

    Attributes:
        plan: the plan, with engine and metrics as they were made last.
        watch: what is certified.
        violations: what was found so far.
    """

    def __init__(self, plan: Plan, methods: Methods, watch: Watch) -> None:
        self.plan = plan
        self.violations: list[Violation] = []
        self._methods = methods
        self.watch = watch

    def built(self, names: Iterable[str]) -> dict[str, Built]:
        """Build methods; one that changes something meanwhile is excluded.

        Where there is no room for all of them, others are released first, and some may still wait.
        """
        wanted, tried = list(names), False
        while True:
            try:
                built = self._methods.get(wanted)
            except ChangedError as error:
                found = error.with_traceback(None)
            else:
                waiting = bool(self._methods.waiting)
                if not waiting or not self.make_room(built, built) or tried:
                    return built
                tried = True
                continue
            self.exclude_at_once(found)

    def make_room(self, kept: Collection[str], coming: Collection[str]) -> bool:
        """Release methods that are not kept, and backbones that the next ones do not need.

        Returns:
            Whether there were any.
        """
        gone, idle = self._methods.let_go(kept), self._methods.idle(coming)
        if gone or idle:
            changed = self.watch.release(idle, self._engine)
            if changed:
                self._void(changed, gone)
        release_memory(device_of(self.plan.device))
        return bool(gone or idle)

    def exclude_at_once(self, found: ChangedError) -> None:
        """Hold the suspects responsible for a change, where no chunk has begun."""
        for name in found.suspects:
            self._exclude(
                name,
                f"method {name!r} changed what is frozen before its first sample: "
                f"{_clauses(found.changes)}; it takes no part in this run.",
            )
        self._load_anew()

    def run(self, opened: Opened, chunk: Chunk, names: Sequence[str]) -> list[Record]:
        """All records of a chunk, those of methods that do not fit together one after the other.

        Where something frozen was changed, no rows are believed: everything shared is loaded again,
        the guilty are found, and the chunk is run again without them.

        Raises:
            DataError: metrics, controls or data of the task change what is frozen.
            StoreFullError: there is no room.
        """
        records, left, turn = [], list(names), 0
        while left or not turn:
            if turn:
                self.make_room((), left)
            records += self._turn(opened, chunk, left, first=not turn)
            turn += 1
            left = [name for name in left if name in self._methods.waiting]
            if left:
                self._methods.note(
                    f"the memory of {self.plan.device} has no room for {', '.join(sorted(names))} "
                    "at once: they run in turn, and are loaded again for each chunk; a larger "
                    "chunk= has them loaded less often."
                )
        return records

    def _turn(
        self, opened: Opened, chunk: Chunk, names: Sequence[str], *, first: bool
    ) -> list[Record]:
        """The records of methods that fit together; the `first` ones have the free controls."""
        self._methods.mark()
        self._look_between()
        guilty: dict[str, str] = {}
        while True:
            bench = opened(self.plan, self.built(names))
            if not first:
                bench = replace(bench, lineup=replace(bench.lineup, free={}))
            try:
                records = bench.run(chunk)
            except ChangedError as error:
                found = error.with_traceback(None)
            else:
                self.watch.settle()
                self._methods.ledger.done(tuple(bench.built))
                return records + (bench.refused(chunk, guilty) if guilty else [])
            there = tuple(bench.built)
            del bench
            guilty |= self._guilty(opened, chunk, there, found)

    def finish(self) -> None:
        """Look once more, and compare the full checksums with the first ones."""
        self._look_between()
        for sentence in self.watch.violations(sorted(self._methods.ready)):
            self.violations.append(Violation(sentence, void=True))

    def _look_between(self) -> None:
        """Check that nothing has changed since the last chunk."""
        changes = self.watch.changes(thorough=False)
        if changes:
            ran = ", ".join(sorted(self._methods.ready)) or "no method"
            self.violations.append(
                Violation(
                    f"something frozen was changed while no method was asked for anything: "
                    f"{_clauses(changes)}. It was a data set, an observer, or what a method left "
                    f"running; built were {ran}."
                )
            )
            self._load_anew()

    def _guilty(
        self, opened: Opened, chunk: Chunk, there: Sequence[str], found: ChangedError
    ) -> dict[str, str]:
        """Exclude the guilty; the sentence of each by name."""
        self._load_anew()
        caught = {
            name: self._methods.guilty[name] for name in there if name in self._methods.guilty
        }
        if caught:  # while they were built again
            return caught
        task = opened(self.plan, {}).task
        if not found.suspects:
            self._try_without(opened, chunk)
        suspects = found.suspects or there
        alone = self._alone(opened, chunk, suspects)
        alone = alone or self._alone(opened, chunk, [one for one in there if one not in suspects])
        sentences = {
            name: f"method {name!r} changed what is frozen in task {task!r}: {_clauses(changes)}; "
            "its rows of that chunk are failed and it takes no further part in this run."
            for name, changes in alone.items()
        }
        if not alone:
            several = "method" if len(suspects) == 1 else "one of the methods"
            named = " and ".join(map(repr, suspects))
            sentence = (
                f"{several} {named} changed what is frozen in task {task!r}, and none does so when "
                f"the chunk is done again with it alone: {_clauses(found.changes)}; the rows of "
                "that chunk are failed and there is no further part in this run."
            )
            sentences = dict.fromkeys(suspects, sentence)
        for name, sentence in sentences.items():
            self._exclude(name, sentence)
        return sentences

    def _try_without(self, opened: Opened, chunk: Chunk) -> None:
        """Check that it was not the task itself.

        Raises:
            DataError: it was.
        """
        bench = opened(self.plan, {})
        try:
            bench.run(chunk)
            return
        except ChangedError as error:
            changes = error.changes
        sentence = (
            f"task {bench.task!r}: its controls or metrics changed what is frozen, and the rest of "
            f"it is left out: {_clauses(changes)}."
        )
        self.violations.append(Violation(sentence))
        self._load_anew()
        raise DataError(sentence)

    def _alone(
        self, opened: Opened, chunk: Chunk, names: Sequence[str]
    ) -> dict[str, tuple[str, ...]]:
        """The methods that change something when they run alone, and what they change."""
        found: dict[str, tuple[str, ...]] = {}
        for name in names:
            try:
                opened(self.plan, self.built([name])).run(chunk)
            except ChangedError as error:
                found[name] = error.changes
            if name in found:
                self._load_anew()
        return found

    def _exclude(self, name: str, sentence: str) -> None:
        if sentence not in [one.sentence for one in self.violations]:
            self.violations.append(Violation(sentence, (name,)))
        self._methods.exclude(name, sentence)

    def _load_anew(self) -> None:
        """Load everything shared again, and build the methods again."""
        names = self._methods.drop()
        unseen = self.watch.renew(self._engine)
        if unseen:
            self._void(unseen, names)
        self.built(names)

    def _engine(self) -> Engine:
        self.plan = self.plan.renewed()
        return self.plan.engine

    def _void(self, unseen: Sequence[str], names: Sequence[str]) -> None:
        """Report that more had changed than was seen."""
        roles = ", ".join(map(repr, unseen))
        self.violations.append(
            Violation(
                f"more had changed of the frozen backbone {roles} than was seen, since nobody "
                f"knows when, while {', '.join(sorted(names)) or 'no method'} ran; all samples "
                "since the last full checksum are void.",
                void=True,
            )
        )


def _clauses(changes: Sequence[str]) -> str:
    """The first change, and how many there are beside it."""
    more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
    return f"{changes[0]}{more}"


def void(writer: RunWriter, keys: Collection[Key], sentence: str) -> list[Record]:
    """Turn stored samples that cannot be trusted into failures; return the new records."""
    records = [
        replace(
            record, status="failed", error=sentence, scores={}, features={}, counts={}, matches={}
        )
        for record in writer.records()
        if record.key in keys
    ]
    writer.replace(records)
    return records
