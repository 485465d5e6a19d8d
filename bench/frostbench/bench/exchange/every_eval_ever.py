"""Results in the format of Every Eval Ever: a file for each method, and one for its samples.

The schema is version 0.3.0 of https://github.com/evaleval/every_eval_ever.
"""

import hashlib
import json
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from frostbench.bench.exchange.bibliography import references
from frostbench.bench.exchange.names import folder_name
from frostbench.bench.leaderboard.columns import sample_value
from frostbench.bench.leaderboard.rows import Leaderboard, Row, Verdict
from frostbench.bench.store.manifest import Manifest, MetricEntry
from frostbench.bench.store.reader import StoredRun
from frostbench.bench.store.records import Record

VERSION = "0.3.0"
BENCHMARK = "frostbench"


@dataclass(frozen=True)
class Evaluator:
    """Who hands the results in, and how they are related to those who made the methods."""

    organization: str
    relationship: str


class _Context:
    """What a row is compared with: the values of its controls, and the tests."""

    def __init__(self, leaderboard: Leaderboard) -> None:
        self.level = leaderboard.inference.level
        self._controls: dict[object, list[Row]] = defaultdict(list)
        self._verdicts: dict[object, list[Verdict]] = defaultdict(list)
        for row in leaderboard.rows:
            if row.kind == "control" and row.value is not None:
                self._controls[row.run, row.task, row.protocol, row.metric].append(row)
        for one in leaderboard.verdicts:
            self._verdicts[one.run, one.task, one.protocol, one.metric].append(one)

    def of(self, row: Row) -> dict[str, str]:
        """The details of a row, in words."""
        here = (row.run, row.task, row.protocol, row.metric)
        found = {
            f"control {other.control}": f"{other.value:.6g}"
            for other in self._controls[here]
            if other.of in (None, row.method)
        }
        for one in self._verdicts[here]:
            if one.method == row.method:
                found[f"against {one.control}"] = f"{one.outcome} (p {one.p:.3g}, corrected)"
        return found


def every_eval_ever(
    leaderboard: Leaderboard, runs: Sequence[StoredRun], evaluator: Evaluator
) -> Iterator[tuple[str, str]]:
    """The files by path; measured results and reported ones are kept apart."""
    now, context = f"{time.time():.0f}", _Context(leaderboard)
    for number, run in enumerate(runs, start=1):
        for method in sorted(run.manifest.methods):
            rows = [
                row
                for row in leaderboard.rows
                if row.kind == "measured" and (row.run, row.method) == (number, method)
            ]
            scored = [row for row in rows if row.value is not None]
            if scored:
                yield from _measured(method, scored, context, run, evaluator, now)
    reported = [row for row in leaderboard.rows if row.kind == "reported"]
    for method in sorted({row.method for row in reported}):
        rows = [row for row in reported if row.method == method]
        yield _reported(method, rows, leaderboard, evaluator, now)


def _measured(
    method: str,
    rows: Sequence[Row],
    context: _Context,
    run: StoredRun,
    evaluator: Evaluator,
    now: str,
) -> Iterator[tuple[str, str]]:
    manifest = run.manifest
    model = _model(method, manifest)
    name = _uuid(model, rows, manifest.created)
    folder = f"data/{BENCHMARK}/{model}"
    evaluation = f"{BENCHMARK}/{model}/{_epoch(manifest.created) or now}"
    results = [_result(row, context, manifest) for row in rows]
    lines = list(_samples(method, run, model, evaluation))
    values: dict[str, Any] = {
        **_head(evaluation, "evaluation_run", evaluator, now, manifest.frostbench),
        "model_info": _model_info(method, model, manifest),
        "evaluation_results": results,
    }
    if epoch := _epoch(manifest.finished or manifest.created):
        values["evaluation_timestamp"] = epoch
    if lines:
        path, text = f"{folder}/{name}_samples.jsonl", "".join(f"{line}\n" for line in lines)
        values["detailed_evaluation_results"] = {
            "format": "jsonl",
            "file_path": path,
            "hash_algorithm": "sha256",
            "checksum": hashlib.sha256(_bytes(text)).hexdigest(),
            "total_rows": len(lines),
        }
        yield path, text
    yield f"{folder}/{name}.json", _json(values)


def _reported(
    method: str, rows: Sequence[Row], leaderboard: Leaderboard, evaluator: Evaluator, now: str
) -> tuple[str, str]:
    """Values of papers about a method: documentation only, not run here."""
    manifest = next(one for one in leaderboard.manifests if method in one.methods)
    model = _model(method, manifest)
    about = manifest.methods[method]
    details = {"note": "reported by papers on other data and with other models; not measured here"}
    results = []
    for number, row in enumerate(rows):
        source: dict[str, Any] = {"dataset_name": row.setting or "not said", "source_type": "other"}
        if about.paper:
            source |= {"source_type": "url", "url": [about.paper]}
        worse = row.metric.lower().startswith(("fid", "rfid", "lpips"))
        results.append(
            {
                "evaluation_result_id": f"reported-{number}",
                "evaluation_name": row.task,
                "source_data": source,
                "metric_config": {"metric_id": row.metric, "lower_is_better": worse},
                "score_details": {
                    "score": row.value,
                    "details": {
                        **details,
                        "setting": row.setting or "",
                        "source": row.source or "",
                        "seen in the publication itself": "yes" if row.verified else "no",
                    },
                },
            }
        )
    evaluation = f"{BENCHMARK}/{model}/reported"
    values = {
        **_head(evaluation, "documentation", evaluator, now, manifest.frostbench),
        "model_info": _model_info(method, model, manifest),
        "evaluation_results": results,
    }
    name = _uuid(model, rows, "reported")
    return f"data/{BENCHMARK}/{model}/{name}.json", _json(values)


def _head(
    evaluation: str, kind: str, evaluator: Evaluator, now: str, version: str
) -> dict[str, Any]:
    return {
        "schema_version": VERSION,
        "evaluation_id": evaluation,
        "retrieved_timestamp": now,
        "source_metadata": {
            "source_name": BENCHMARK,
            "source_type": kind,
            "source_organization_name": evaluator.organization,
            "evaluator_relationship": evaluator.relationship,
        },
        "eval_library": {"name": BENCHMARK, "version": version or "unknown"},
    }


def _result(row: Row, context: _Context, manifest: Manifest) -> dict[str, Any]:
    task, metric = manifest.tasks[row.task], manifest.metrics[row.metric]
    data = task.settings.get("data")
    known = {name: digest for name, digest in manifest.data.items() if data in (None, name)}
    details = {
        "suite": row.suite,
        "protocol": row.protocol or "",
        "failed samples": str(row.failed or 0),
        "identity": row.identity or "",
        "seed": str(manifest.seed),
        **({"rank": str(row.rank)} if row.rank else {}),
        **({"interval": row.interval} if row.interval and row.low is None else {}),
        **context.of(row),
    }
    return {
        "evaluation_result_id": _result_id(row.task, row.protocol, row.metric),
        "evaluation_name": f"{row.task}@{row.protocol}" if row.protocol else row.task,
        "source_data": {
            "dataset_name": ", ".join(known) or manifest.pack.name,
            "source_type": "other",
            "additional_details": {f"sha256 of {name}": digest for name, digest in known.items()},
        },
        "metric_config": _metric(metric, task.summary),
        "score_details": {
            "score": row.value,
            "details": details,
            "uncertainty": _uncertainty(row, context.level),
        },
    }


def _metric(metric: MetricEntry, summary: str) -> dict[str, Any]:
    config: dict[str, Any] = {
        "metric_id": metric.id,
        "metric_unit": "proportion" if metric.percent else metric.unit or "points",
        "lower_is_better": not metric.higher_is_better,
    }
    if summary:
        config["evaluation_description"] = summary
    if metric.direction == "neither":
        config["additional_details"] = {"direction": "neither end is better"}
    # A continuous score must have two bounds, which not every metric has.
    if metric.lower is not None and metric.upper is not None:
        ends = {"min_score": metric.lower, "max_score": metric.upper}
        config |= {"score_type": "continuous", **ends}
    return config


def _uncertainty(row: Row, level: float) -> dict[str, Any]:
    found: dict[str, Any] = {"num_samples": row.samples or 0}
    if row.low is not None and row.high is not None:
        found["confidence_interval"] = {
            "lower": row.low,
            "upper": row.high,
            "confidence_level": level,
            "method": row.interval or "",
        }
    return found


def _model(method: str, manifest: Manifest) -> str:
    """Developer and name: the method's package, or an unknown developer."""
    origin = manifest.origins.get("method", {}).get(method)
    developer = (origin.distribution if origin else "") or "unknown"
    return f"{folder_name(developer)}/{folder_name(method)}"


def _model_info(method: str, model: str, manifest: Manifest) -> dict[str, Any]:
    about, llm = manifest.methods[method], manifest.backbones.get("llm")
    entry = references([manifest]).get(method)
    details = {
        "deployment_type": "self_deployed",
        "model_availability": "unknown",
        "version": about.version,
        "paper": about.paper,
        "pack": f"{manifest.pack.name} {manifest.pack.sha256}".strip(),
        "language model": f"{llm.source}, {llm.dtype}, {llm.sha256_before}" if llm else "",
        "identity": about.identity,
        "device": manifest.device,
        "cited as": entry.key if entry else "",
    }
    return {
        "name": method,
        "id": model,
        "developer": model.partition("/")[0],
        "inference_engine": {"name": BENCHMARK, "version": manifest.frostbench or "unknown"},
        "additional_details": {key: value for key, value in details.items() if value},
    }


def _samples(method: str, run: StoredRun, model: str, evaluation: str) -> Iterator[str]:
    """Samples that are answered in words, right or wrong: all that the format can express."""
    for record in run.records():
        if record.method != method or record.control or record.prediction.kind != "text":
            continue
        task = run.manifest.tasks.get(record.task)
        if task is None:
            continue  # as on the leaderboard
        value = sample_value(record, run.manifest.metrics[task.ranks_by])
        if value in (0.0, 1.0):
            yield json.dumps(
                _sample(record, task.ranks_by, value, model, evaluation),
                ensure_ascii=False,
                allow_nan=False,
            )


def _sample(
    record: Record, metric: str, value: float, model: str, evaluation: str
) -> dict[str, Any]:
    said = record.prediction.text or ""
    right = record.target.accepted or (record.target.text or "",)
    asked, cost = record.asked or "", record.cost
    return {
        "schema_version": VERSION,
        "evaluation_id": evaluation,
        "model_id": model,
        "evaluation_name": f"{record.task}@{record.protocol}" if record.protocol else record.task,
        "evaluation_result_id": _result_id(record.task, record.protocol, metric),
        "sample_id": record.sample,
        "sample_hash": hashlib.sha256(_bytes(asked + "".join(right))).hexdigest(),
        "interaction_type": "single_turn",
        "input": {"raw": asked, "reference": list(right)},
        "output": {"raw": [said]},
        "messages": None,
        "answer_attribution": [
            {
                "turn_idx": 0,
                "source": "output.raw",
                "extracted_value": said,
                "extraction_method": metric,
                "is_terminal": True,
            }
        ],
        "evaluation": {"score": value, "is_correct": value == 1.0},
        "token_usage": {
            "input_tokens": cost.prompt_tokens,
            "output_tokens": cost.generated_tokens,
            "total_tokens": cost.prompt_tokens + cost.generated_tokens,
        },
        "performance": {"latency_ms": 1000 * cost.seconds},
        "metadata": {"cluster": record.cluster},
    }


def _result_id(task: str, protocol: str | None, metric: str) -> str:
    return "/".join(filter(None, (task, protocol, metric)))


def _uuid(model: str, rows: Sequence[Row], when: str) -> str:
    """A name that is the same for the same results: digits of their digest, formed like UUID 4."""
    text = json.dumps(
        [model, when, [[row.task, row.protocol, row.metric, row.value] for row in rows]]
    )
    return str(uuid.UUID(bytes=hashlib.sha256(_bytes(text)).digest()[:16], version=4))


def _epoch(moment: str) -> str:
    try:
        return f"{datetime.fromisoformat(moment).timestamp():.0f}"
    except ValueError:
        return ""


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _bytes(text: str) -> bytes:
    # A lone half of a letter is in no encoding.
    return text.encode(errors="backslashreplace")
