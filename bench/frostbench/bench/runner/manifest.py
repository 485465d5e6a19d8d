"""Makes the manifest of a plan, for a run that begins or goes on."""

import datetime
import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from functools import cache
from typing import Any

from frostbench.bench.machine import hardware, versions
from frostbench.bench.runner.frozen import named
from frostbench.bench.runner.plan import Plan, PlannedMethod, PlannedTask
from frostbench.bench.store.differences import differences
from frostbench.bench.store.hardware import Hardware
from frostbench.bench.store.manifest import (
    ControlEntry,
    Failure,
    LastSession,
    Manifest,
    MethodEntry,
    MetricEntry,
    TaskEntry,
    TokenizerCounts,
)
from frostbench.bench.store.records import Record
from frostbench.bench.store.typed import typed
from frostbench.plugins.contract import CONTRACT_VERSION
from frostbench.plugins.contract.cards import MetricFacts
from frostbench.plugins.host.packs import digest_of


def new_manifest(plan: Plan) -> Manifest:
    """The manifest of a run that has just begun."""
    rows = plan.lineups.values()
    here = hardware(plan.device)
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
        origins=plan.facts.origins,
        hardware=here,
        machines={machine_of(here): here},
        identity=identity(plan),
    )


def identity(plan: Plan) -> dict[str, Any]:
    """What must not change while a run is resumed: other values could give other results."""
    values: dict[str, Any] = plain(
        {
            "seed": plan.seed,
            # Cards of the same kind are interchangeable.
            "device": plan.device.partition(":")[0],
            "chunk": plan.chunk,
            "tokenize_batch": plan.tokenize_batch,
            "controls": plan.controls is not None,
            "frostbench": plan.facts.frostbench,
            "versions": versions(),
            "pack": plan.facts.pack.sha256,
            "data": plan.facts.data,
            "files": plan.facts.files,
            "origins": {
                kind: {name: asdict(origin) for name, origin in parts.items()}
                for kind, parts in plan.facts.origins.items()
                if kind != "control"
            },
            "llm": named(plan.backbones.entries.get("llm")),
            **_given(plan),
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


def _given(plan: Plan) -> dict[str, Any]:
    """The user's settings of backbones, by role; the pack's own are part of its digest."""
    given = plan.config.get("backbone")
    return {"backbones": given} if given else {}


def after_session(manifest: Manifest, before: Manifest, session: LastSession) -> Manifest:
    """The current manifest: what this session did, added to what was there `before`."""
    zero = TokenizerCounts()
    names = sorted({*before.tokenizer, *session.tokenizer})
    return replace(
        manifest,
        tokenizer={
            name: before.tokenizer.get(name, zero) + session.tokenizer.get(name, zero)
            for name in names
        },
        seconds=before.seconds + session.seconds,
        last_session=session,
    )


def makers(plan: Plan) -> Callable[[Record], str]:
    """A short digest of everything that a record can depend on except the metrics."""
    known = identity(plan)
    methods, tasks, origins = (known.pop(name) for name in ("methods", "tasks", "origins"))
    controls = plan.facts.origins.get("control", {})

    @cache
    def maker(task: str, method: str | None, control: str | None) -> str:
        parts = [
            [task, method, control, known],
            {kind: of for kind, of in origins.items() if kind not in ("method", "task", "metric")},
            [tasks.get(task, {}).get("settings"), origins.get("task", {}).get(task)],
            [methods.get(method), origins.get("method", {}).get(method)],
            controls.get(control or ""),
        ]
        return digest_of(plain(parts))[:12]

    return lambda record: maker(record.task, record.method, record.control)


def machine_of(hardware: Hardware) -> str:
    """The digest by which records name the hardware that they were made on."""
    return digest_of(asdict(replace(hardware, memory_bytes=0)))[:8]


def different(before: Any, after: Any) -> list[str]:
    """Clauses that name where two plain values differ."""
    return [one.clause for one in differences(before, after)]


def failures_of(records: Iterable[Record]) -> list[Failure]:
    """Failed samples counted by row, task and protocol, with the first one's sentence."""
    return merged(failure_of(record) for record in records if record.status == "failed")


def failure_of(record: Record) -> Failure:
    """A failed sample."""
    error = record.error or "no reason is stored"
    return Failure(error, record.method, record.control, record.task, record.protocol, 1)


def merged(failures: Iterable[Failure]) -> list[Failure]:
    """Failures counted by row, task and protocol, with the first one's sentence."""
    groups: dict[tuple[str | None, ...], list[Failure]] = defaultdict(list)
    for one in failures:
        groups[one.method, one.control, one.task, one.protocol].append(one)
    return [
        replace(several[0], samples=sum(one.samples for one in several))
        for several in groups.values()
    ]


def plain(value: Any) -> Any:
    """The value as it comes back from JSON; unknown types become their text."""
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
        identity=method.identity,
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
