"""Scoring a finished run again, from what it stored; no method and no language model is needed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from frostbench.bench.runner.corpus import learners, load_corpus
from frostbench.bench.runner.manifest import describe_metrics, failures_of, is_of_samples
from frostbench.bench.runner.scoring import Scored, Scoring
from frostbench.bench.store.blobs import Blobs
from frostbench.bench.store.lock import RunLock
from frostbench.bench.store.reader import open_run
from frostbench.bench.store.records import Record
from frostbench.bench.store.values import load_prediction, load_target
from frostbench.bench.store.writer import RunWriter
from frostbench.plugins.contract.metric import Metric


@dataclass(frozen=True)
class Rescored:
    """What scoring again has brought.

    Attributes:
        samples: how many were scored.
        changed: by metric, how many samples have another score or other counts than before, and
            by how much at most.
        missing: metrics of the run's tasks that were not given; their scores stayed.
        failed: one sentence for each sample that could not be scored.
    """

    samples: int
    changed: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


def score(
    folder: Path,
    metrics: Mapping[str, Metric],
    tasks: Mapping[str, Sequence[str]] | None = None,
) -> Rescored:
    """Compute scores again from stored predictions and targets, and store them.

    Each task is scored by those of its own metrics that are given; `tasks` names others by task,
    which are then added to the run.

    Raises:
        StoreError: there is no run, it is in use, or it cannot be written.
        LookupError: `tasks` names a task that the run has not, or a metric that is not given; or
            a metric asks for a corpus and the run keeps none.
    """
    run = open_run(folder)
    with RunLock(folder):
        writer = RunWriter(folder)
        manifest = dict(run.manifest)
        wanted = _wanted(manifest["tasks"], metrics, tasks or {})
        named = {name for names in wanted.values() for name in names}
        before = writer.records()
        after: list[Record] = []
        for task, names in wanted.items():
            given = {name: metrics[name] for name in names if name in metrics}
            scoring = _scoring(task, given, writer.blobs, manifest["tasks"][task].get("corpus"))
            groups: dict[tuple[str | None, ...], list[Record]] = {}
            for record in before:
                if record.task == task and record.prediction.kind != "none":
                    groups.setdefault((record.protocol, *record.row), []).append(record)
            for group in groups.values():
                after += _score(group, scoring, names)
            manifest["tasks"][task]["metrics"] = names
        writer.replace(after)
        manifest["metrics"] |= describe_metrics(
            metric.facts for name, metric in metrics.items() if name in named
        )
        others = [entry for entry in manifest["failures"] if not is_of_samples(entry)]
        failed = [record for record in writer.records() if record.status == "failed"]
        manifest["failures"] = [*others, *failures_of(failed)]
        writer.write_manifest(manifest)
    return Rescored(
        samples=len(after),
        changed=_changes(before, after),
        missing=tuple(sorted(named - set(metrics))),
        failed=tuple(record.error or "" for record in after if record.status == "failed"),
    )


def _wanted(
    stored: Mapping[str, Mapping[str, Sequence[str]]],
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
        task: list(dict.fromkeys((*entry["metrics"], *more.get(task, ()))))
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


def _score(records: Sequence[Record], scoring: Scoring, names: Sequence[str]) -> list[Record]:
    """The records of one row with new scores."""
    pairs = []
    for record in records:
        prediction = load_prediction(record.prediction, scoring.blobs)
        assert prediction is not None
        pairs.append((prediction, load_target(record.target, scoring.blobs)))
    results = scoring([prediction for prediction, _ in pairs], [target for _, target in pairs])
    return [_with(record, result, names) for record, result in zip(records, results, strict=True)]


def _with(record: Record, result: Scored, names: Sequence[str]) -> Record:
    if result.error is not None:
        who = f"method {record.method!r}" if record.method else f"control {record.control!r}"
        sentence = (
            f"{who}, scoring, task {record.task!r}, sample {record.sample!r}: {result.error}."
        )
        nothing: dict[str, Any] = {"scores": {}, "features": {}, "counts": {}}
        return replace(record, status="failed", error=sentence, **nothing)
    scores = {**record.scores, **result.scores}
    features = {**record.features, **result.features}
    counts = {**record.counts, **result.counts}
    return replace(
        record,
        status="scored",
        error=None,
        scores={name: scores[name] for name in names if name in scores},
        features={name: features[name] for name in names if name in features},
        counts={name: counts[name] for name in names if name in counts},
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
