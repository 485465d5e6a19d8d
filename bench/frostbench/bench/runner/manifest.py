"""The manifest of a plan: of a run that begins, and of one that goes on."""

import datetime
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from frostbench.bench.machine import hardware, versions
from frostbench.bench.runner.frozen import named
from frostbench.bench.runner.plan import Plan, PlannedMethod, PlannedTask
from frostbench.bench.store.atomic import StoreError
from frostbench.bench.store.manifest import (
    ControlEntry,
    Failure,
    Manifest,
    MethodEntry,
    MetricEntry,
    TaskEntry,
)
from frostbench.bench.store.records import Record
from frostbench.bench.store.typed import typed
from frostbench.plugins.contract import CONTRACT_VERSION
from frostbench.plugins.contract.cards import MetricFacts


def new_manifest(plan: Plan) -> Manifest:
    """The manifest of a run that has just begun."""
    rows = plan.lineups.values()
    return Manifest(
        frostbench=plan.facts.frostbench,
        contract=CONTRACT_VERSION,
        created=now(),
        status="running",
        config=plain(plan.config),
        seed=plan.seed,
        limit=plan.limit,
        device=plan.device,
        pack=plan.facts.pack,
        methods={method.card.name: _method(method) for method in plan.methods},
        data=plan.facts.data,
        tasks={planned.task.card.name: _task(plan, planned) for planned in plan.tasks},
        metrics=_metrics(plan),
        dashes=tuple(dash for one in rows for dash in one.dashes),
        controls_left_out=tuple(left for one in rows for left in one.controls_left_out),
        versions=versions(),
        hardware=hardware(plan.device),
        identity=identity(plan),
    )


def resumed_manifest(plan: Plan, stored: Manifest) -> Manifest:
    """The manifest of a run that goes on, or grows to a larger limit.

    Raises:
        StoreError: the folder holds a run of another plan; the message says what differs.
    """
    differences = different(stored.identity, identity(plan))
    for planned in plan.tasks:
        name = planned.task.card.name
        least = stored.tasks[name].limit if name in stored.tasks else 0
        if planned.limit < least:
            differences.append(f"the limit of {name} was {least} and is now {planned.limit}")
    if differences:
        shown = "; ".join(differences[:4])
        more = f"; and {len(differences) - 4} more" if len(differences) > 4 else ""
        raise StoreError(
            f"{plan.out} holds a run of another configuration: {shown}{more}. Choose another "
            "folder with out=, or remove this one; only a limit can grow in place."
        )
    kept = ("created", "methods", "backbones", "tokenizer", "seconds", "violations", "notes")
    fresh = replace(new_manifest(plan), **{name: getattr(stored, name) for name in kept})
    for name, task in fresh.tasks.items():
        before = stored.tasks[name]
        grown = before.limit != task.limit
        # A control that is new to a complete task is still to be run.
        same = not grown and set(before.controls) >= set(task.controls)
        fresh = fresh.with_task(
            name,
            complete=before.complete and same,
            corpus=before.corpus,
            grown_from=(*before.grown_from, *([before.limit] if grown else [])),
        )
    return fresh


def identity(plan: Plan) -> dict[str, Any]:
    """What may not change while a run is resumed: other values could give other numbers."""
    values: dict[str, Any] = plain(
        {
            "seed": plan.seed,
            "device": plan.device,
            "chunk": plan.chunk,
            "tokenize_batch": plan.tokenize_batch,
            "controls": plan.controls is not None,
            "pack": plan.facts.pack.sha256,
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
    return values


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


def failures_of(records: Sequence[Record]) -> list[Failure]:
    """Failed samples counted by row, task and protocol, with the first one's sentence."""
    groups: dict[tuple[str | None, ...], list[Record]] = defaultdict(list)
    for record in records:
        if record.status == "failed":
            groups[*record.row, record.task, record.protocol].append(record)
    return [
        Failure(
            error=first.error or "no reason is stored",
            method=first.method,
            control=first.control,
            task=first.task,
            protocol=first.protocol,
            samples=1 + len(others),
        )
        for first, *others in groups.values()
    ]


def plain(value: Any) -> Any:
    """The value as it comes back from JSON; what JSON does not know becomes its text."""
    return json.loads(json.dumps(value, default=str))


def now() -> str:
    """The time, in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _method(method: PlannedMethod) -> MethodEntry:
    card = method.card
    return MethodEntry(
        title=card.name,
        summary=card.summary,
        paper=card.paper,
        version=card.version,
        capabilities=tuple(sorted(card.capabilities)),
        backbones=card.backbones,
        trained=card.trained,
        trained_on=card.trained_on,
        adapters=card.adapters,
        controls=card.controls,
        weights=method.weights,
        settings=plain(method.settings),
    )


def _task(plan: Plan, planned: PlannedTask) -> TaskEntry:
    card = planned.task.card
    return TaskEntry(
        name=card.name,
        suite=card.suite,
        request_type=card.request_type,
        reads=card.reads,
        protocols=card.protocols,
        levels=card.levels,
        variants=card.variants,
        metrics=tuple(plan.metrics_of(planned)),
        ranks_by=card.ranks_by,
        controls={
            control.name: ControlEntry(control.meaning, control.ceiling, control.drawn)
            for control in plan.lineups[card.name].controls
        },
        settings=plain(planned.settings),
        summary=card.summary,
        limit=planned.limit,
    )


def describe_metrics(metrics: Iterable[MetricFacts]) -> dict[str, MetricEntry]:
    """The manifest's entries of metrics."""
    return {facts.id: typed(MetricEntry, asdict(facts)) for facts in metrics}


def _metrics(plan: Plan) -> dict[str, MetricEntry]:
    used = {name for planned in plan.tasks for name in plan.metrics_of(planned)}
    return describe_metrics(one.facts for name, one in plan.metrics.items() if name in used)
