"""Records what a worker does, and reports it to the run."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

from frostbench.bench.runner.manifest import failure_of, failures_of, merged
from frostbench.bench.runner.report import MethodNews, ViolationNews, WorkerReport
from frostbench.bench.store.hardware import MethodMemory
from frostbench.bench.store.manifest import (
    BackboneFacts,
    Failure,
    TokenizerCounts,
)
from frostbench.bench.store.records import Key, Record
from frostbench.bench.store.visual import VisualSize
from frostbench.plugins.host.errors import cut


@runtime_checkable
class Desk(Protocol):
    """Receives what a worker reports: the run itself, or a file that the run reads."""

    def begun(self, task: str) -> None:
        """A task begins."""
        ...

    def told(self, report: WorkerReport) -> None:
        """Report what was done so far."""
        ...

    def ended(self, task: str, samples: Mapping[str | None, Sequence[str]], *, whole: bool) -> None:
        """All chunks of a task are done, by any worker; `whole` if all its data could be read."""
        ...

    def prompts(self, count: int) -> None:
        """So many prompts were handed to the engine."""
        ...

    def guilty(self) -> Mapping[str, str]:
        """The methods that changed what is frozen, also in other workers, and what each changed."""
        ...

    def wait(self) -> None:
        """Wait a moment, since other workers hold what is left.

        Raises:
            StoreError: the process that keeps the run is gone.
        """
        ...


class Account:
    """What one session of a worker did so far, as in its report.

    Attributes:
        report: all of it.
    """

    def __init__(
        self,
        report: WorkerReport,
        desk: Desk,
        known: Sequence[str],
        longest: int,
        counts: Callable[[], Mapping[str, TokenizerCounts]],
    ) -> None:
        self.report = report
        self._desk = desk
        self._known = tuple(known)
        self._longest = longest
        self._counts = counts
        self._begun = time.perf_counter()
        self._failed: dict[Key, Failure] = {}

    def tell(self) -> None:
        """Let the run know."""
        self.report = replace(
            self.report,
            seconds=time.perf_counter() - self._begun,
            tokenizer=self._counts(),
            failed=tuple(merged(self._failed.values())),
        )
        self._desk.told(self.report)

    def stored(self, task: str, records: Sequence[Record]) -> None:
        """These samples were stored; failures are printed once for each row."""
        failed = [record for record in records if record.status == "failed"]
        self._failed |= {record.key: failure_of(record) for record in failed}
        violations = {one.sentence for one in self.report.violations}
        for failure in failures_of(failed):
            if failure.error in violations:
                continue  # that was told
            count = failure.samples
            others = f" ({count - 1} more samples failed beside it)" if count > 1 else ""
            self.say(f"{failure.error}{others}")
        count = self.report.samples.get(task, 0) + len(records)
        self.report = replace(self.report, samples={**self.report.samples, task: count})
        self.tell()

    def method(self, name: str, news: MethodNews) -> None:
        """A method was built, or cannot be."""
        self.report = replace(self.report, methods={**self.report.methods, name: news})
        for sentence in news.notes:
            self.say(f"{name}: {sentence}")
        if news.error is not None:
            self.fail(Failure(news.error, method=name))

    def measured(
        self, memory: Mapping[str, MethodMemory], visual: Mapping[str, VisualSize]
    ) -> None:
        """Record how much device memory methods took, and how large their tokens are."""
        self.report = replace(
            self.report, memory=dict(memory), visual={**self.report.visual, **visual}
        )

    def backbones(self, facts: Mapping[str, BackboneFacts]) -> None:
        """These are the backbones, with their checksums."""
        self.report = replace(self.report, backbones=dict(facts))

    def corpus(self, task: str, blob: str | None) -> None:
        """Record the corpus that the metrics of a task have learned from, if any."""
        if blob is not None:
            self.report = replace(self.report, corpora={**self.report.corpora, task: blob})

    def violation(self, sentence: str, methods: Sequence[str], void: Collection[Key]) -> None:
        """Something frozen was changed, so that the void samples cannot be trusted."""
        self.say(sentence)
        told = ViolationNews(sentence, tuple(methods), tuple(sorted(void, key=repr)))
        self.report = replace(self.report, violations=(*self.report.violations, told))
        for key in void:
            task, protocol, method, control, _ = key
            self._failed[key] = Failure(sentence, method, control, task, protocol, 1)

    def fail(self, failure: Failure) -> None:
        """Something other than a sample has failed."""
        self.report = replace(self.report, failures=(*self.report.failures, failure))
        self.say(failure.error)

    def note(self, sentence: str, *, shown: bool = True) -> None:
        """Note something that a reader of the run must know."""
        sentence = cut(sentence, 2 * self._longest)
        if sentence not in (*self._known, *self.report.notes):
            self.report = replace(self.report, notes=(*self.report.notes, sentence))
            if shown:
                self.say(sentence)

    def say(self, sentence: str) -> None:
        """Print something for whoever watches the run now."""
        self.report = replace(self.report, said=(*self.report.said, sentence))

    def prompts(self, count: int) -> None:
        """So many prompts were handed to the engine."""
        self.report = replace(self.report, prompts=self.report.prompts + count)
        self._desk.prompts(count)
