"""Verifies a run: computes a part of it again, and compares everything it depends on."""

import math
import random
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from frostbench.bench.machine import versions
from frostbench.bench.runner.built import Methods
from frostbench.bench.runner.chunk import Bench, Built
from frostbench.bench.runner.corpus import TaskScoring
from frostbench.bench.runner.frozen import Watch, digest
from frostbench.bench.runner.guilty import Court
from frostbench.bench.runner.instances import DataError, chunks_of
from frostbench.bench.runner.manifest import different, identity
from frostbench.bench.runner.plan import Plan, PlannedTask
from frostbench.bench.runner.progress import Progress, Quiet
from frostbench.bench.runner.resuming import missing_files
from frostbench.bench.runner.watching import Counted
from frostbench.bench.store.blobs import Blobs
from frostbench.bench.store.reader import StoredRun, open_run
from frostbench.bench.store.records import Key, Record
from frostbench.plugins.host.containment import interruptible
from frostbench.plugins.host.limits import limited
from frostbench.plugins.host.packs import sha256_of

Place = tuple[str, str | None, int]


@dataclass(frozen=True)
class Check:
    """One check; `detail` is a sentence for people."""

    name: str
    holds: bool
    detail: str


@dataclass(frozen=True)
class Verified:
    """The checks, and how many samples were computed again."""

    checks: tuple[Check, ...]
    samples: int

    @property
    def holds(self) -> bool:
        """Whether everything holds."""
        return all(check.holds for check in self.checks)


def verify(
    plan: Plan,
    sample: int = 20,
    seed: int = 0,
    tolerance: float = 1e-4,
    progress: Progress | None = None,
) -> Verified:
    """Compute whole chunks of the run in `plan.out` again, at least `sample` requests of them.

    Chunks are drawn from `seed`. Visual tokens are computed anew, not taken from the cache. A
    score holds if it is within `tolerance`, relative to the larger of 1 and its size; texts hold
    if they are equal. Nothing in the run's folder is changed.

    Raises:
        StoreError: there is no run, or it cannot be read.
    """
    run = open_run(plan.out)
    stored = {record.key: record for record in run.records()}
    shown = progress or Quiet()
    checks = [_sources(plan, run), _software(plan, run), _sealed(plan, run, stored.values())]
    watch = Watch(plan.backbones, plan.engine)
    again: list[Record] = []
    blobs = run.blobs
    with tempfile.TemporaryDirectory() as scratch, shown, limited(plan.limits), interruptible():
        scratched = Path(scratch) / "tokens"
        methods = Methods(plan, scratched, watch, shown.note, run.manifest.guilty)
        court = Court(plan, methods, watch)
        blobs = Blobs(Path(scratch) / "blobs")
        places = _draw(stored, plan.chunk, sample, seed)
        for planned in plan.tasks:
            name = planned.task.card.name
            mine = {place for place in places if place[0] == name}
            if not mine:
                continue
            try:
                scoring = TaskScoring(court.plan, planned, blobs)
            except DataError as error:
                checks.append(Check(f"corpus of {name}", False, str(error)))
                continue
            checks += _corpus(name, scoring.corpus, run)
            again += _compute(court, methods, planned, mine, scoring, blobs, shown)
        checks += [*_methods(methods, run), _backbones(watch, run)]
        damaged, files = _files(run, stored.values())
        checks += [files, *_compare(again, stored, run.blobs, blobs, damaged, tolerance)]
    court.finish()
    changed = [violation.sentence for violation in court.violations]
    checks.append(Check("frozen", not changed, " ".join(changed) or "no backbone was changed."))
    return Verified(tuple(checks), len(again))


def _draw(stored: Mapping[Key, Record], size: int, sample: int, seed: int) -> set[Place]:
    """Chunks that hold at least `sample` requests, drawn from all that the run has."""
    counts: dict[tuple[str, str | None], set[str]] = {}
    for record in stored.values():
        counts.setdefault((record.task, record.protocol), set()).add(record.sample)
    places = [
        (task, protocol, index, min(size, len(samples) - index * size))
        for (task, protocol), samples in sorted(counts.items(), key=lambda pair: str(pair[0]))
        for index in range((len(samples) + size - 1) // size)
    ]
    random.Random(seed).shuffle(places)
    drawn: set[Place] = set()
    requests = 0
    for task, protocol, index, count in places:
        if requests >= sample:
            break
        drawn.add((task, protocol, index))
        requests += count
    return drawn


def _compute(
    court: Court,
    methods: Methods,
    planned: PlannedTask,
    places: set[Place],
    scoring: TaskScoring,
    blobs: Blobs,
    progress: Progress,
) -> list[Record]:
    """The drawn chunks of a task, computed again."""
    plan, name = court.plan, planned.task.card.name
    lineup = plan.lineups[name]

    def opened(now: Plan, built: Mapping[str, Built]) -> Bench:
        return Bench(
            planned=planned,
            lineup=lineup,
            built=built,
            engine=Counted(now.engine, progress.prompts),
            scoring=scoring.under(now),
            blobs=blobs,
            seed=plan.seed,
            gallery=0,
            note=progress.note,
            watch=court.watch,
            ledger=methods.ledger,
        )

    records: list[Record] = []
    progress.task(name, len(places), 0)
    left = set(places)
    try:
        for chunk in chunks_of(planned, plan.seed, plan.chunk):
            place = name, chunk.protocol, chunk.index
            if place in left:
                records += court.run(opened, chunk, [row.method for row in lineup.rows])
                left.remove(place)
                progress.advance(1)
            if not left:
                break
    except DataError as error:
        progress.note(str(error))
    progress.end()
    return records


def _sources(plan: Plan, run: StoredRun) -> Check:
    stored, now = dict(run.manifest.identity), identity(plan)
    # What an older frostbench did not store cannot be compared, nor its digest of the data.
    old = {"versions", "frostbench", "origins", *(set(now) - set(stored))}
    old |= set() if "origins" in stored else {"data"}
    before, after = ({k: v for k, v in one.items() if k not in old} for one in (stored, now))
    differences = different(before, after)
    detail = "; ".join(differences) or "pack, data, weights and settings are those of the run"
    return Check("sources", not differences, f"{detail}.")


def _sealed(plan: Plan, run: StoredRun, records: Iterable[Record]) -> Check:
    """Whether the sealed files are unchanged, and hold all samples that the run counted."""
    said: list[str] = []
    for name, sha in run.manifest.seals.items():
        path = run.folder / "sealed" / name
        if not path.is_file():
            said.append(f"sealed/{name} is gone")
        elif sha256_of(path) != sha:
            said.append(f"sealed/{name} was changed after it was sealed")
    lacking = missing_files(plan, run.manifest, records)
    said += [f"sealed/{name} lacks samples" for names in lacking.values() for name in names]
    detail = "; ".join(dict.fromkeys(said)) or "all samples are there, as they were sealed"
    return Check("sealed", not said, f"{detail}.")


def _corpus(name: str, corpus: str | None, run: StoredRun) -> list[Check]:
    """Whether metrics learn from the same corpus as in the run."""
    before = run.manifest.tasks[name].corpus if name in run.manifest.tasks else None
    if corpus is None and before is None:
        return []
    same = corpus == before
    detail = "the corpus is that of the run." if same else "the corpus is not that of the run."
    return [Check(f"corpus of {name}", same, detail)]


def _software(plan: Plan, run: StoredRun) -> Check:
    """Report other versions and code, which alone do not refute a run."""
    differences = different(run.manifest.versions, versions())
    now = identity(plan)
    differences += different(run.manifest.identity.get("origins", now["origins"]), now["origins"])
    shown = "; ".join(differences[:8]) + ("; ..." if differences[8:] else "")
    detail = shown or "the same versions and the same code of everything"
    return Check("versions", True, f"{detail}.")


def _methods(methods: Methods, run: StoredRun) -> list[Check]:
    checks = []
    for name in sorted(methods.ready):
        same = run.manifest.methods[name].fingerprint == methods.fingerprint(name)
        detail = "the fingerprint is that of the run." if same else "the fingerprint has changed."
        checks.append(Check(f"method {name}", same, detail))
    for name, error in sorted(methods.failed.items()):
        same = run.manifest.methods[name].status == "failed"
        checks.append(Check(f"method {name}", same, error))
    return checks


def _backbones(watch: Watch, run: StoredRun) -> Check:
    known = {role: facts.sha256_before for role, facts in run.manifest.backbones.items()}
    other = [role for role, now in watch.before.items() if known.get(role) != digest(now)]
    detail = f"not those of the run: {', '.join(other)}." if other else "those of the run."
    return Check("backbones", not other, detail)


def _files(run: StoredRun, records: Iterable[Record]) -> tuple[set[str], Check]:
    """The blobs of all samples and corpora that have changed since they were stored."""
    named = {name: _name(record) for record in records for name in record.blobs}
    corpora = {task.corpus: f"corpus of {name}" for name, task in run.manifest.tasks.items()}
    named |= {name: whose for name, whose in corpora.items() if name is not None}
    damaged = {name for name in named if not run.blobs.intact(name)}
    whose = sorted({named[name] for name in damaged})
    return damaged, Check("files", not damaged, _list("samples have damaged files", whose))


def _compare(
    again: Sequence[Record],
    stored: Mapping[Key, Record],
    old: Blobs,
    new: Blobs,
    damaged: set[str],
    tolerance: float,
) -> list[Check]:
    """Predictions and scores of the two, where the stored files are intact."""
    missing = [record for record in again if record.key not in stored]
    pairs = [(record, stored[record.key]) for record in again if record.key in stored]
    sound = [(now, before) for now, before in pairs if not damaged & set(before.blobs)]
    predictions = [
        _name(now) for now, before in sound if not _same_prediction(now, before, old, new)
    ]
    worst, where = 0.0, ""
    scores = [_name(now) for now, before in sound if set(now.values) != set(before.values)]
    for now, before in sound:
        for metric in set(now.values) & set(before.values):
            gap = _gap(now.values[metric], before.values[metric])
            if not gap <= worst:
                worst, where = gap, f"{metric} of {_name(now)}"
    failed = [_name(now) for now, before in pairs if now.status != before.status]
    return [
        Check("samples", not missing, _list("samples are not in the run", map(_name, missing))),
        Check("failures", not failed, _list("samples fail in one and not in the other", failed)),
        Check("predictions", not predictions, _list("predictions differ", predictions)),
        Check(
            "scores",
            worst <= tolerance and not scores,
            _list("samples have scores of other metrics", scores)
            if scores
            else f"the largest difference is {worst:.2g}{f' ({where})' if where else ''}.",
        ),
    ]


def _gap(now: Sequence[float], before: Sequence[float]) -> float:
    """The largest difference of two values or rows of numbers, relative where they are large."""
    if len(now) != len(before):
        return math.inf
    # Infinities that are equal differ by nothing.
    gaps = [
        0.0 if a == b else abs(a - b) / max(1.0, abs(b)) for a, b in zip(now, before, strict=True)
    ]
    return math.nan if any(gap != gap for gap in gaps) else max(gaps, default=0.0)


def _same_prediction(now: Record, before: Record, old: Blobs, new: Blobs) -> bool:
    """Texts and masks are equal; images differ by one level of 8 bits at most, boxes by little."""
    a, b = now.prediction, before.prediction
    if (a.kind, a.text, a.blob) == (b.kind, b.text, b.blob):
        return True
    if a.kind != b.kind or a.text != b.text or a.blob is None or b.blob is None:
        return False
    if a.kind in ("boxes", "instances"):
        return _alike(new.json(a.blob), old.json(b.blob))
    if a.kind != "image":
        return False
    first, second = new.pixels(a.blob), old.pixels(b.blob)
    return first.shape == second.shape and bool(torch.allclose(first, second, atol=1.5 / 255))


def _alike(now: Any, before: Any) -> bool:
    """Whether plain values differ by no more than floats do between machines."""
    if isinstance(now, float) and isinstance(before, float):
        return abs(now - before) <= 1e-3 * max(1.0, abs(before))
    if isinstance(now, list) and isinstance(before, list):
        return len(now) == len(before) and all(map(_alike, now, before))
    if isinstance(now, dict) and isinstance(before, dict):
        return now.keys() == before.keys() and all(_alike(now[k], before[k]) for k in now)
    return bool(now == before)


def _name(record: Record) -> str:
    row = "/".join(part for part in record.row if part)
    place = record.task if record.protocol is None else f"{record.task}@{record.protocol}"
    return f"{row} {place} {record.sample}"


def _list(what: str, names: Any) -> str:
    found = list(names)
    return f"{len(found)} {what}{': ' + ', '.join(found[:3]) if found else ''}."
