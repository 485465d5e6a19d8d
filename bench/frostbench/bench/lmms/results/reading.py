"""Reads results and samples of lmms-eval as a run of ours.

Nothing is computed but the means that can be checked; lmms-eval need not be installed.
"""

import hashlib
import json
import math
import numbers
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from frostbench.bench.lmms.definition import (
    PREFIX,
    SUITE,
    UNANSWERED,
    UNREADABLE,
    definition_of,
    document_id,
    metric_id,
)
from frostbench.bench.lmms.version import LmmsError
from frostbench.bench.store.manifest import (
    Manifest,
    MethodEntry,
    MetricEntry,
    PackEntry,
    TaskEntry,
)
from frostbench.bench.store.records import Record, Stored

UNKNOWN = "unknown"
_NO_METRICS = ("alias", "samples", "sample_len", "name", "sample_count")


@dataclass(frozen=True)
class ImportedRun:
    """A run of lmms-eval as a run of ours, and what a reader must know about it."""

    manifest: Manifest
    records: tuple[Record, ...]


@dataclass
class _Reported:
    """A metric of a task: its values by sample, and the value that was reported."""

    id: str
    key: str
    value: float
    entry: MetricEntry
    means: bool = True
    of: dict[int, float] = field(default_factory=dict)


def imported(results: Path, stated: str = "", model: str = "") -> ImportedRun:
    """The run in a file of results and the files of samples beside it.

    `stated` is the version of the lmms-eval that made it, where the file does not say it, and
    `model` another name for the model.

    Raises:
        LmmsError: the file is no results, or there are no samples beside it.
    """
    content = _json(results)
    tasks, configs = content.get("results"), content.get("configs")
    if not isinstance(tasks, dict) or not isinstance(configs, dict):
        raise LmmsError(f"{results}: it has no results and configs, as lmms-eval writes them.")
    said = str(content.get("lmms_eval_version") or UNKNOWN).partition("@")[0]
    made_by = stated or said
    name = model or _model(content)
    entries: dict[str, TaskEntry] = {}
    metrics: dict[str, MetricEntry] = {}
    records: list[Record] = []
    for task, values in tasks.items():
        config = configs.get(task)
        reported = list(_reported(values, content.get("higher_is_better", {}).get(task, {})))
        if config is None or not reported:
            continue  # a group, which averages its tasks
        samples = list(_samples(results, task))
        several = len({one.key.partition(",")[2] for one in reported}) > 1
        made = list(_records(task, name, samples, reported, several=several))
        records += made
        metrics |= {one.id: one.entry for one in reported}
        ids = tuple(one.id for one in reported)
        settings = {"definition": definition_of({**config, "task": task}, made_by)}
        entries[PREFIX + task] = TaskEntry(
            name=PREFIX + task,
            suite=SUITE,
            metrics=ids,
            ranks_by=ids[0],
            request_type="Answer",
            reads="text",
            settings=settings,
            summary=f"{task}, a task of lmms-eval",
            limit=len(made),
            complete=True,
            samples={"": len(made)},
        )
    if not entries:
        raise LmmsError(f"{results}: it holds no metric of any task.")
    manifest = _manifest(results, content, name, made_by, entries, metrics)
    return ImportedRun(manifest, tuple(records))


def _manifest(
    results: Path,
    content: Mapping[str, Any],
    name: str,
    made_by: str,
    tasks: Mapping[str, TaskEntry],
    metrics: Mapping[str, MetricEntry],
) -> Manifest:
    digest = hashlib.sha256(results.read_bytes()).hexdigest()
    arguments = str(content.get("config", {}).get("model_args", ""))
    known = "" if made_by != UNKNOWN else " Which version made them is not said: version=VERSION."
    return Manifest(
        frostbench=version("frostbench"),
        created=str(content.get("date", "")),
        finished=str(content.get("date", "")),
        status="finished",
        pack=PackEntry("lmms-eval", f"results of lmms-eval {made_by}", digest),
        methods={
            name: MethodEntry(
                title=name, summary=f"a model of lmms-eval ({arguments[:200]})", version=made_by
            )
        },
        tasks=tasks,
        metrics=metrics,
        versions={"lmms-eval": made_by},
        imported=f"{results.name}, SHA-256 {digest[:12]}",
        notes=(
            "Ranked with rows of ours only where what is asked and what it is scored by have the "
            f"same digests; lmms-eval's files say nothing of the images themselves.{known}",
        ),
    )


def _records(
    task: str,
    model: str,
    samples: Sequence[Mapping[str, Any]],
    reported: Sequence[_Reported],
    *,
    several: bool,
) -> Iterator[Record]:
    """The samples of a task, with those `reported` metrics that turn out to be means."""
    seen = {int(one["doc_id"]): one for one in samples}
    for metric in reported:
        stem = metric.key.partition(",")[0]
        values = {number: one.get(stem) for number, one in seen.items()}
        metric.of = {n: float(v) for n, v in values.items() if isinstance(v, numbers.Real)}
        mean = math.fsum(metric.of.values()) / len(metric.of) if metric.of else math.nan
        metric.means = not several and math.isclose(mean, metric.value, rel_tol=1e-9, abs_tol=1e-12)
        if not metric.means:
            metric.entry = MetricEntry(metric.id, direction=metric.entry.direction, pooling="whole")
    for number, one in sorted(seen.items()):
        right, said = str(one.get("target", "")), one.get("filtered_resps", "")
        text = said if isinstance(said, str) else json.dumps(said)
        gone = text.startswith(UNANSWERED)
        id_ = document_id(number, str(one.get("input", "")), right)
        yield Record(
            suite=SUITE,
            task=PREFIX + task,
            protocol=None,
            method=model,
            control=None,
            sample=id_,
            cluster=id_,
            status="failed" if gone else "scored",
            error=text.removeprefix(UNANSWERED) if gone else None,
            prediction=Stored("none") if gone else Stored("text", text=text),
            target=Stored("text", text=right),
            scores={m.id: m.of[number] for m in reported if m.means and number in m.of},
            whole={
                m.id: (m.value, math.nan)
                for m in reported
                if not m.means and not gone and one.get(m.key.partition(",")[0]) is not None
            },
        )


def _reported(values: Mapping[str, Any], higher: Mapping[str, bool]) -> Iterator[_Reported]:
    """The metrics of a task; standard errors and everything but numbers are left out."""
    for key, value in values.items():
        metric, comma, filtered = key.partition(",")
        error = metric.partition("_stderr")[1]
        if not comma or error or metric in (*_NO_METRICS, UNREADABLE):
            continue
        if isinstance(value, numbers.Real) and math.isfinite(value):
            id_ = metric_id(metric, filtered)
            entry = MetricEntry(id_, direction="higher" if higher.get(metric, True) else "lower")
            yield _Reported(id_, key, float(value), entry)


def _samples(results: Path, task: str) -> Iterator[Mapping[str, Any]]:
    """The samples of a task, from the file beside the results.

    Raises:
        LmmsError: there is none, or a line of it cannot be read.
    """
    stem = results.name.removesuffix("results.json")
    path = results.with_name(f"{stem}samples_{task}.jsonl")
    if stem == results.name or not path.is_file():
        raise LmmsError(
            f"{results}: there is no {path.name} beside it; lmms-eval --log_samples writes one."
        )
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            sample = json.loads(line)
            int(sample["doc_id"])
        except (ValueError, KeyError, TypeError) as error:
            raise LmmsError(f"{path}, line {number}: it is no sample of lmms-eval.") from error
        yield sample


def _model(content: Mapping[str, Any]) -> str:
    """The model's name: its own, or lmms-eval's."""
    own, kind = str(content.get("model_name") or ""), str(content.get("model_source") or "")
    found = own or kind or "model"
    return "".join(one if one not in " =,/[]" else "_" for one in found)


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LmmsError(f"there is no file {path}.") from None
    except (OSError, ValueError) as error:
        raise LmmsError(f"{path} cannot be read as JSON: {error}.") from error
    if not isinstance(content, dict):
        raise LmmsError(f"{path}: it is no file of results.")
    return content
