"""`frostbench list`: shows what is installed. Loads no weights and no torch."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from frostbench.bench.cli.config import PluginConfig, read_config, split_words
from frostbench.bench.cli.plugins import open_host
from frostbench.bench.printable import say
from frostbench.plugins.contract.cards import MetricFacts
from frostbench.plugins.host.errors import missing
from frostbench.plugins.host.packs import read_pack
from frostbench.plugins.host.registry import Host, Registered


def list_command(words: list[str]) -> int:
    """Print what is installed, of one kind or of all."""
    as_json = "--json" in words
    plain, overrides = split_words([word for word in words if word != "--json"])
    host = open_host(read_config(PluginConfig, overrides))
    for kind in plain:
        if kind not in KINDS:
            raise LookupError(missing("kind", kind, KINDS))
    kinds = plain or list(KINDS)
    found = {kind: KINDS[kind](host) for kind in kinds}
    if as_json:
        say(json.dumps(found, indent=2, default=sorted))
        return 0
    for kind, entries in found.items():
        if kind == "left_out" and not entries:
            continue
        say(f"{kind.replace('_', ' ')} ({len(entries)})")
        width = max((len(entry["name"]) for entry in entries), default=0)
        for entry in entries:
            detail = entry.get("summary") or entry.get("plugin", "")
            origin = f" ({package})" if (package := entry.get("package")) else ""
            say(f"  {entry['name']:<{width}}  {detail}{origin}".rstrip())
            for role, names in entry.get("alternatives", {}).items():
                say(f"  {'':<{width}}  {role}={'|'.join(names)} in place of its own")
    return 0


def _methods(host: Host) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "summary": item.card.summary,
            "version": item.card.version,
            "paper": item.card.paper,
            "capabilities": sorted(item.card.capabilities),
            "reasons": dict(item.card.reasons),
            "controls": list(item.card.controls),
            "backbones": list(item.card.backbones),
            "trained": list(item.card.trained),
            "trained_on": item.card.trained_on,
            "plugin": item.plugin,
            "package": "" if item.own else " ".join(item.distribution or ()),
            "file": item.file,
        }
        for name, item in host.methods.items()
    ]


def _tasks(host: Host) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "summary": item.card.summary,
            "suite": item.card.suite,
            "request_type": item.card.request_type,
            "protocols": list(item.card.protocols),
            "levels": list(item.card.levels),
            "variants": list(item.card.variants),
            "metrics": list(item.card.metrics),
            "ranks_by": item.card.ranks_by,
            "controls": list(item.card.controls),
            "plugin": item.plugin,
        }
        for name, item in host.tasks.items()
    ]


def _suites(host: Host) -> list[dict[str, Any]]:
    suites: dict[str, list[str]] = {}
    for name, item in host.tasks.items():
        suites.setdefault(item.card.suite, []).append(name)
    return [
        {"name": suite, "summary": ", ".join(tasks), "tasks": tasks}
        for suite, tasks in sorted(suites.items())
    ]


def _packs(host: Host) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "summary": item.card.summary,
            "folder": item.card.folder,
            "alternatives": _alternatives(Path(item.card.folder)),
            "plugin": item.plugin,
        }
        for name, item in host.packs.items()
    ]


def _alternatives(folder: Path) -> dict[str, list[str]]:
    """Names of alternatives to a backbone, by role; empty where there is no pack yet."""
    try:
        pack = read_pack(folder)
    except (ValueError, OSError, RecursionError):
        return {}
    return {role: sorted(others) for role, others in pack.alternatives.items()}


def _controls(host: Host) -> list[dict[str, Any]]:
    return [
        {
            **vars(item.card),
            "summary": item.card.meaning,
            "tasks": [name for name, task in host.tasks.items() if item.card.stands_in(task.card)],
            "plugin": item.plugin,
        }
        for item in host.controls.values()
    ]


def _recipes(host: Host) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "summary": item.card.summary,
            "needs": list(item.card.needs),
            "plugin": item.plugin,
        }
        for name, item in host.recipes.items()
    ]


def _presets(host: Host) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "summary": item.card.summary,
            "file": item.card.file,
            "command": item.card.command,
            "plugin": item.plugin,
        }
        for name, item in host.presets.items()
    ]


def _converters(host: Host) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "summary": item.card.summary,
            "files": [asdict(file) for file in item.card.files],
            "plugin": item.plugin,
        }
        for name, item in host.converters.items()
    ]


def _metrics(host: Host) -> list[dict[str, Any]]:
    return [
        {"name": name, "summary": _in_words(item.card), **asdict(item.card), "plugin": item.plugin}
        for name, item in host.metrics.items()
    ]


def _in_words(facts: MetricFacts) -> str:
    """A metric's facts in a line: "dB, from 0, to 100, higher is better"."""
    clauses = {
        facts.unit: bool(facts.unit),
        f"from {facts.lower}": facts.lower is not None and not facts.percent,
        f"to {facts.upper}": facts.upper is not None and not facts.percent,
        "percent": facts.percent,
        f"{facts.direction} is better": facts.direction != "neither",
        "neither end is better": facts.direction == "neither",
        f"pooled as {facts.pooling}": facts.pooling != "mean",
        f"by the pack's {' and '.join(facts.networks)}": bool(facts.networks),
        f"needs metric_weights.{facts.weights}=FILE": bool(facts.weights),
        f"also for {', '.join(facts.tasks)}": bool(facts.tasks),
    }
    return ", ".join(clause for clause, holds in clauses.items() if holds)


def _named(items: Callable[[Host], Mapping[str, Registered[str]]]) -> Callable[[Host], Any]:
    def entries(host: Host) -> list[dict[str, Any]]:
        return [{"name": name, "plugin": item.plugin} for name, item in items(host).items()]

    return entries


def _left_out(host: Host) -> list[dict[str, Any]]:
    return [
        {
            "name": one.plugin,
            "summary": ": ".join(filter(None, (one.part, one.where, one.reason))),
            "part": one.part,
            "where": one.where,
            "reason": one.reason,
            "disabled": one.wanted,
        }
        for one in host.left_out
    ]


KINDS: Mapping[str, Callable[[Host], list[dict[str, Any]]]] = {
    "methods": _methods,
    "suites": _suites,
    "tasks": _tasks,
    "metrics": _metrics,
    "controls": _controls,
    "packs": _packs,
    "datasets": _named(lambda host: host.datasets),
    "backbones": _named(lambda host: host.backbones),
    "engines": _named(lambda host: host.engines),
    "presets": _presets,
    "recipes": _recipes,
    "converters": _converters,
    "left_out": _left_out,
}
