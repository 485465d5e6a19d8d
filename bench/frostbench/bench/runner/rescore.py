"""Scores a finished run again from what it stored, without methods or language models."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from frostbench.bench.runner.corpus import learners, load_corpus
from frostbench.bench.runner.manifest import describe_metrics, failures_of
from frostbench.bench.runner.scoring import SampleScores, Scoring
from frostbench.bench.runner.wholes import with_wholes
from frostbench.bench.store.blobs import Blobs, DamagedError
from frostbench.bench.store.lock import RunLock
from frostbench.bench.store.manifest import Manifest, Origin, TaskEntry
from frostbench.bench.store.reader import open_run
from frostbench.bench.store.records import Record
from frostbench.bench.store.values import load_prediction, load_target
from frostbench.bench.store.writer import RunWriter
from frostbench.plugins.contract.metric import Metric
from frostbench.plugins.contract.predictions import Prediction
from frostbench.plugins.contract.task import Target


@dataclass(frozen=True)
class Rescored:
    """The result of scoring again.

    Attributes:
        samples: how many were scored.
        changed: by metric, how many samples have other scores or counts than before, and the
            largest difference.
        missing: metrics of the run's tasks that were not given; their scores stayed.
        failed: one sentence for each sample that could not be scored.
        damaged: one sentence for each sample whose files have changed since; it stays as it was.
    """

    samples: int
    changed: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()


def score(
    folder: Path,
    metrics: Mapping[str, Metric],
    tasks: Mapping[str, Sequence[str]] | None = None,
    origins: Mapping[str, Origin] | None = None,
) -> Rescored:
    """Compute scores again from stored predictions and targets, and store them.

    Each task is scored by those of its own metrics that are given; `tasks` names others by task,
    which are then added to the run. `origins` say where the metrics come from.

    Raises:
        StoreError: there is no run, it is in use, or it cannot be written.
        LookupError: `tasks` names a task that the run lacks, or a metric that is not given; or a
            metric asks for a corpus and the run stored none.
    """
    run = open_run(folder)
    with RunLock(folder):
        writer = RunWriter(folder)
        manifest = run.manifest
        wanted = _wanted(manifest.tasks, metrics, tasks or {})
        named = {name for names in wanted.values() for name in names}
        before = writer.records()
        after: list[Record] = []
        damaged: list[str] = []
        for task, names in wanted.items():
            given = {name: metrics[name] for name in names if name in metrics}
            scoring = _scoring(task, given, writer.blobs, manifest.tasks[task].corpus)
            groups: dict[tuple[str | None, ...], list[Record]] = {}
            for record in before:
                if record.task == task and record.prediction.kind != "none":
                    groups.setdefault((record.protocol, *record.row), []).append(record)
            for group in groups.values():
                after += _score(group, scoring, names, damaged)
            manifest = manifest.with_task(task, metrics=tuple(names))
        writer.replace(after)
        _number(writer, wanted, metrics)
        # Where some scores stayed, the run mixes versions of metrics, and must not be resumed.
        came = {} if damaged else origins or {}
        described = describe_metrics(
            metric.facts for name, metric in metrics.items() if name in named
        )
        others = [failure for failure in manifest.failures if not failure.samples]
        failed = [record for record in writer.records() if record.status == "failed"]
        writer.write_manifest(
            replace(
                _with_origins(manifest, {name: by for name, by in came.items() if name in named}),
                metrics={**manifest.metrics, **described},
                failures=(*others, *failures_of(failed)),
            )
        )
    return Rescored(
        samples=len(after),
        changed=_changes(before, after),
        missing=tuple(sorted(named - set(metrics))),
        failed=tuple(record.error or "" for record in after if record.status == "failed"),
        damaged=tuple(damaged),
    )


def _with_origins(manifest: Manifest, origins: Mapping[str, Origin]) -> Manifest:
    """The manifest of a run whose scores are those of other metrics now; it can be resumed."""
    metrics = {**manifest.origins.get("metric", {}), **origins}
    identity = dict(manifest.identity)
    if "metric" in identity.get("origins", {}):
        began = identity["origins"]["metric"]
        now = {name: asdict(metrics[name]) for name in began}
        identity["origins"] = {**identity["origins"], "metric": now}
    return replace(manifest, origins={**manifest.origins, "metric": metrics}, identity=identity)


def _wanted(
    stored: Mapping[str, TaskEntry],
    metrics: Mapping[str, Metric],
    more: Mapping[str, Sequence[str]],
) -> dict[str, list[str]]:
    """The metrics of each task, its own first."""
    for task, names in more.items():
        if task not in stored:
            raise LookupError(f"the run has no task {task!r}; it has {', '.join(sorted(stored))}.")
        unknown = sorted(set(names) - set(metrics))
        if unknown:
            raise LookupError(
                f"no metric {unknown[0]!r} is given; there are {', '.join(sorted(metrics))}."
            )
    return {
        task: list(dict.fromkeys((*entry.metrics, *more.get(task, ()))))
        for task, entry in stored.items()
    }


def _scoring(task: str, metrics: Mapping[str, Metric], blobs: Blobs, corpus: str | None) -> Scoring:
    """The metrics of a task, on the corpus that the run keeps."""
    learning = learners(metrics)
    if not learning:
        return Scoring(metrics, blobs)
    if corpus is None:
        raise LookupError(
            f"{learning[0]!r} learns from a corpus which words are rare, and task {task!r} of this "
            "run keeps none: give the command of the run again, which computes it anew."
        )
    return Scoring(metrics, blobs, load_corpus(corpus, blobs))


def _score(
    records: Sequence[Record], scoring: Scoring, names: Sequence[str], damaged: list[str]
) -> list[Record]:
    """The records of one row with new scores, without those whose files are `damaged`."""
    sound: list[tuple[Record, Prediction, Target]] = []
    for record in records:
        try:
            prediction = load_prediction(record.prediction, scoring.blobs)
            target = load_target(record.target, scoring.blobs)
        except (DamagedError, LookupError) as error:
            reason = str(error.args[0])
            damaged.append(f"{_who(record)}: {reason} Its scores stay as they were.")
            continue
        assert prediction is not None
        sound.append((record, prediction, target))
    results = scoring([one[1] for one in sound], [one[2] for one in sound])
    return [_with(one[0], result, names) for one, result in zip(sound, results, strict=True)]


def _number(
    writer: RunWriter, wanted: Mapping[str, Sequence[str]], metrics: Mapping[str, Metric]
) -> None:
    """Compute what is one number of all samples of a task."""
    for task, names in wanted.items():
        given = {name: metrics[name] for name in names if name in metrics}
        mine = [record for record in writer.records() if record.task == task]
        writer.replace(with_wholes(mine, given, writer.blobs)[0])


def _who(record: Record) -> str:
    who = f"method {record.method!r}" if record.method else f"control {record.control!r}"
    return f"{who}, scoring, task {record.task!r}, sample {record.sample!r}"


def _with(record: Record, result: SampleScores, names: Sequence[str]) -> Record:
    if result.error is not None:
        sentence = f"{_who(record)}: {result.error}."
        nothing: dict[str, Any] = {"scores": {}, "features": {}, "counts": {}, "matches": {}}
        return replace(record, status="failed", error=sentence, **nothing)
    scores = {**record.scores, **result.scores}
    features = {**record.features, **result.features}
    counts = {**record.counts, **result.counts}
    matches = {**record.matches, **result.matches}
    return replace(
        record,
        status="scored",
        error=None,
        scores={name: scores[name] for name in names if name in scores},
        features={name: features[name] for name in names if name in features},
        counts={name: counts[name] for name in names if name in counts},
        matches={name: matches[name] for name in names if name in matches},
    )


def _changes(before: Sequence[Record], after: Sequence[Record]) -> dict[str, tuple[int, float]]:
    old = {record.key: record for record in before}
    changes: dict[str, tuple[int, float]] = {}
    for record in after:
        for name, values in record.values.items():
            was = old[record.key].values.get(name)
            count, most = changes.get(name, (0, 0.0))
            if was is None or len(was) != len(values):
                changes[name] = count + 1, most
            elif was != values:
                gaps = [abs(a - b) for a, b in zip(was, values, strict=True) if a != b]
                changes[name] = count + 1, max(most, *gaps)
            else:
                changes[name] = count, most
    return changes
