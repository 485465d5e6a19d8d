"""The manifest: everything that a run's numbers depend on, and how far it is."""

import datetime
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from frostbench.bench.runner.frozen import named
from frostbench.bench.runner.machine import hardware, versions
from frostbench.bench.runner.plan import Plan, PlannedMethod, PlannedTask
from frostbench.bench.runner.rows import rows_of
from frostbench.bench.store.atomic import StoreError
from frostbench.bench.store.records import Record
from frostbench.plugins.contract.cards import MetricFacts


def new_manifest(plan: Plan) -> dict[str, Any]:
    """The manifest of a run that has just begun."""
    rows = [rows_of(planned, plan.methods, plan.controls) for planned in plan.tasks]
    return _plain_mapping(
        {
            "frostbench": plan.facts.frostbench,
            "created": now(),
            "finished": None,
            "status": "running",
            "config": plan.config,
            "seed": plan.seed,
            "limit": plan.limit,
            "device": plan.device,
            "pack": plan.facts.pack,
            "methods": {method.card.name: _method(method) for method in plan.methods},
            "backbones": {},
            "data": plan.facts.data,
            "tasks": {planned.task.card.name: _task(plan, planned) for planned in plan.tasks},
            "metrics": _metrics(plan),
            "dashes": [dash for one in rows for dash in one.dashes],
            "controls_left_out": [left for one in rows for left in one.controls_left_out],
            "versions": versions(),
            "hardware": hardware(plan.device),
            "tokenizer": {},
            "seconds": 0.0,
            "failures": [],
            "violations": [],
            "notes": [],
            "last_session": {},
            "identity": identity(plan),
        }
    )


def resumed_manifest(plan: Plan, stored: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest of a run that goes on, or grows to a larger limit.

    Raises:
        StoreError: the folder holds a run of another plan; the message says what differs.
    """
    differences = different(stored.get("identity", {}), identity(plan))
    for planned in plan.tasks:
        name = planned.task.card.name
        before = stored["tasks"].get(name, {}).get("limit", planned.limit)
        if planned.limit < before:
            differences.append(f"the limit of {name} was {before} and is now {planned.limit}")
    if differences:
        shown = "; ".join(differences[:4])
        more = f"; and {len(differences) - 4} more" if len(differences) > 4 else ""
        raise StoreError(
            f"{plan.out} holds a run of another configuration: {shown}{more}. Choose another "
            "folder with out=, or remove this one; only a limit can grow in place."
        )
    fresh = new_manifest(plan)
    kept = ("created", "methods", "backbones", "tokenizer", "seconds", "violations", "notes")
    fresh.update({key: stored[key] for key in kept})
    for name, task in fresh["tasks"].items():
        before = stored["tasks"][name]
        task["complete"] = before["complete"] and before["limit"] == task["limit"]
        task["corpus"] = before.get("corpus")
        grown = [] if before["limit"] == task["limit"] else [before["limit"]]
        task["grown_from"] = before["grown_from"] + grown
    return fresh


def identity(plan: Plan) -> dict[str, Any]:
    """What may not change while a run is resumed: other values could give other numbers."""
    controls = plan.controls
    return _plain_mapping(
        {
            "seed": plan.seed,
            "device": plan.device,
            "chunk": plan.chunk,
            "tokenize_batch": plan.tokenize_batch,
            "controls": controls is not None,
            "pack": plan.facts.pack.get("sha256"),
            "data": plan.facts.data,
            "llm": named(plan.backbones.entries.get("llm")),
            "methods": {
                method.card.name: {
                    "version": method.card.version,
                    "settings": method.settings,
                    "weights": method.weights,
                }
                for method in plan.methods
            },
            "tasks": {
                planned.task.card.name: {
                    "settings": planned.settings,
                    "metrics": list(plan.metrics_of(planned)),
                }
                for planned in plan.tasks
            },
        }
    )


def different(before: Any, after: Any, place: str = "") -> list[str]:
    """Clauses that name where two plain values differ."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        clauses = []
        for key in sorted({*before, *after}):
            where = f"{place}.{key}" if place else str(key)
            if key not in after:
                clauses.append(f"{where} was there and is not any more")
            elif key not in before:
                clauses.append(f"{where} is new")
            else:
                clauses += different(before[key], after[key], where)
        return clauses
    return [] if before == after else [f"{place} was {before!r} and is now {after!r}"]


def failures_of(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Failed samples counted by row, task and protocol, with the first one's sentence."""
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    for record in records:
        if record.status != "failed":
            continue
        key = record.method, record.control, record.task, record.protocol
        entry = groups.setdefault(
            key,
            {
                "method": record.method,
                "control": record.control,
                "task": record.task,
                "protocol": record.protocol,
                "samples": 0,
                "error": record.error,
            },
        )
        entry["samples"] += 1
    return list(groups.values())


def is_of_samples(entry: Mapping[str, Any]) -> bool:
    """Whether a failure counts samples, and is no method's, task's or run's own."""
    return bool(entry["samples"])


def failure(
    error: str,
    *,
    method: str | None = None,
    task: str | None = None,
) -> dict[str, Any]:
    """A failure that is not one of samples."""
    return {
        "method": method,
        "control": None,
        "task": task,
        "protocol": None,
        "samples": 0,
        "error": error,
    }


def plain(value: Any) -> Any:
    """The value as it comes back from JSON; what JSON does not know becomes its text."""
    return json.loads(json.dumps(value, default=str))


def _plain_mapping(value: Mapping[str, Any]) -> dict[str, Any]:
    return dict(plain(value))


def now() -> str:
    """The time, in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _method(method: PlannedMethod) -> dict[str, Any]:
    card = method.card
    return {
        "title": card.name,
        "summary": card.summary,
        "paper": card.paper,
        "version": card.version,
        "capabilities": sorted(card.capabilities),
        "backbones": list(card.backbones),
        "trained": list(card.trained),
        "trained_on": card.trained_on,
        "adapters": list(card.adapters),
        "controls": list(card.controls),
        "fingerprint": None,
        "weights": method.weights,
        "settings": method.settings,
        "status": "ok",
        "error": None,
        "notes": [],
    }


def _task(plan: Plan, planned: PlannedTask) -> dict[str, Any]:
    card = planned.task.card
    meanings = {} if plan.controls is None else plan.controls.meanings
    controls = () if plan.controls is None else card.controls
    return {
        "suite": card.suite,
        "request_type": card.request_type,
        "reads": card.reads,
        "protocols": list(card.protocols),
        "levels": list(card.levels),
        "variants": list(card.variants),
        "metrics": list(plan.metrics_of(planned)),
        "ranks_by": card.ranks_by,
        "controls": {name: meanings.get(name, "") for name in controls},
        "settings": planned.settings,
        "summary": card.summary,
        "limit": planned.limit,
        "complete": False,
        "grown_from": [],
        "corpus": None,
    }


def describe_metrics(metrics: Iterable[MetricFacts]) -> dict[str, Any]:
    """The manifest's entries of metrics."""
    return {
        facts.id: {
            "higher_is_better": facts.direction != "lower",
            "direction": facts.direction,
            "percent": facts.percent,
            "unit": facts.unit,
            "lower": facts.lower,
            "upper": facts.upper,
            "set": facts.pooling == "features",
            "pooling": facts.pooling if facts.pooling in ("ratio", "bleu") else None,
            "corpus": facts.corpus,
            "networks": list(facts.networks),
        }
        for facts in metrics
    }


def _metrics(plan: Plan) -> dict[str, Any]:
    used = {name for planned in plan.tasks for name in plan.metrics_of(planned)}
    return describe_metrics(one.facts for name, one in plan.metrics.items() if name in used)
