"""Reports of workers, and how they change the manifest."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from frostbench.bench.runner.manifest import machine_of, merged
from frostbench.bench.store.atomic import StoreError
from frostbench.bench.store.hardware import Hardware, MethodMemory
from frostbench.bench.store.manifest import (
    BackboneFacts,
    Failure,
    Manifest,
    TokenizerCounts,
)
from frostbench.bench.store.records import Key
from frostbench.bench.store.typed import typed
from frostbench.bench.store.visual import VisualSize


@dataclass(frozen=True)
class MethodNews:
    """The result of building a method: its fingerprint and notes, or why it cannot be built."""

    fingerprint: str | None = None
    notes: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class ViolationNews:
    """A sentence on a change to something frozen, and the methods that made it.

    `void` are the keys of samples that cannot be trusted any more.
    """

    sentence: str
    methods: tuple[str, ...] = ()
    void: tuple[tuple[str, str | None, str | None, str | None, str], ...] = ()


@dataclass(frozen=True)
class Ended:
    """What ended a worker before its work was done; `kind` names the error."""

    kind: Literal["refused", "store", "full"]
    sentence: str


@dataclass(frozen=True, kw_only=True)
class WorkerReport:
    """What one session of a worker has done until now.

    `samples` are how many it stored, by task; `failed` are its failed samples, counted, and
    `failures` what else failed. `notes` go into the manifest, `said` are only shown.
    """

    worker: str
    session: str
    host: str = ""
    process: int = 0
    device: str = "cpu"
    hardware: Hardware = field(default_factory=Hardware)
    samples: Mapping[str, int] = field(default_factory=dict)
    prompts: int = 0
    seconds: float = 0.0
    tokenizer: Mapping[str, TokenizerCounts] = field(default_factory=dict)
    methods: Mapping[str, MethodNews] = field(default_factory=dict)
    backbones: Mapping[str, BackboneFacts] = field(default_factory=dict)
    corpora: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    failed: tuple[Failure, ...] = ()
    violations: tuple[ViolationNews, ...] = ()
    deaths: Mapping[str, str] = field(default_factory=dict)
    memory: Mapping[str, MethodMemory] = field(default_factory=dict)
    visual: Mapping[str, VisualSize] = field(default_factory=dict)
    ended: Ended | None = None
    finished: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> "WorkerReport":
        """The report that `to_json` described.

        Raises:
            ValueError: it is none.
        """
        report: WorkerReport = typed(WorkerReport, values)
        return report

    @property
    def stored(self) -> int:
        """How many samples it stored."""
        return sum(self.samples.values())

    @property
    def void(self) -> dict[Key, str]:
        """The samples that nobody can trust, each with the sentence that says why."""
        return {key: one.sentence for one in self.violations for key in one.void}


def folded(
    before: Manifest, reports: Sequence[WorkerReport], stale: Sequence[Failure] = ()
) -> Manifest:
    """The manifest of a run, from its state when the session began and the workers' reports.

    `stale` are failed samples of earlier sessions.

    Raises:
        StoreError: workers disagree on what a method, a backbone or a corpus is.
    """
    now = before
    failures: list[Failure] = []
    failed = list(stale)
    for report in reports:
        for name, news in report.methods.items():
            now = _with_method(now, name, news)
        now = replace(now, backbones=_backbones(now.backbones, report))
        for task, corpus in report.corpora.items():
            if now.tasks[task].corpus not in (None, corpus):
                raise StoreError(
                    f"task {task!r} gives {report.worker!r} another corpus than other workers; "
                    "their data, settings or code differ."
                )
            now = now.with_task(task, corpus=corpus)
        new = dict.fromkeys(note for note in report.notes if note not in now.notes)
        machine = {machine_of(report.hardware): report.hardware} if report.samples else {}
        now = replace(
            now,
            notes=(*now.notes, *new),
            deaths={**now.deaths, **report.deaths},
            memory=_memory(now.memory, report.memory),
            visual=_visual(now.visual, report.visual),
            machines={**now.machines, **machine},
        )
        failures += [one for one in report.failures if one not in failures]
        failed += report.failed
    for report in reports:
        now = with_violations(now, report.violations)
    return replace(
        now,
        failures=(
            *failures,
            *merged(failed),
            *(Failure(sentence) for sentence in now.violations),
        ),
    )


def with_violations(manifest: Manifest, violations: Iterable[ViolationNews]) -> Manifest:
    """The manifest of a run in which also these were found."""
    for one in violations:
        if one.sentence not in manifest.violations:
            manifest = manifest.with_violation(one.sentence, one.methods)
    return manifest


def check_fingerprint(name: str, known: str | None, found: str | None, place: str = "") -> None:
    """Refuse a method that has changed since the run began, in its folder `place`.

    Raises:
        StoreError: it is another.
    """
    if known not in (None, found):
        raise StoreError(
            f"method {name!r} makes other visual tokens than when the run{place and ' in '}{place} "
            "began (its weights, settings or code changed); choose another folder with out=, or "
            "remove this one."
        )


def _with_method(manifest: Manifest, name: str, news: MethodNews) -> Manifest:
    entry = manifest.methods[name]
    if news.error is not None:
        return manifest.with_method(name, status="failed", error=news.error)
    check_fingerprint(name, entry.fingerprint, news.fingerprint)
    return manifest.with_method(
        name, fingerprint=news.fingerprint, status="ok", error=None, notes=news.notes
    )


def _memory(
    known: Mapping[str, MethodMemory], told: Mapping[str, MethodMemory]
) -> dict[str, MethodMemory]:
    """The most memory that any worker has measured."""
    none = MethodMemory()
    return {
        name: MethodMemory(
            max(known.get(name, none).own, told.get(name, none).own),
            max(known.get(name, none).working, told.get(name, none).working),
        )
        for name in {**known, **told}
    }


def _visual(
    known: Mapping[str, VisualSize], told: Mapping[str, VisualSize]
) -> dict[str, VisualSize]:
    """The counts from the most images."""
    none = VisualSize()
    return {
        name: max(known.get(name, none), told.get(name, none), key=lambda size: size.images)
        for name in {**known, **told}
    }


def _backbones(
    known: Mapping[str, BackboneFacts], report: WorkerReport
) -> dict[str, BackboneFacts]:
    described = dict(known)
    for role, facts in report.backbones.items():
        before = described.get(role)
        if before is not None and before.sha256_before != facts.sha256_before:
            raise StoreError(
                f"the backbone {role!r} of {report.worker!r} is not the one that this run began "
                "with; choose another folder with out=, or put the old weights back."
            )
        if before is None or facts.sha256_after is not None:
            described[role] = facts
    return described
