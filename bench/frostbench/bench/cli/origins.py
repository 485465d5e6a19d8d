"""Where each part of a run comes from: its plugin, its code, and the files in its settings."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from frostbench.bench.cli.config import RunConfig
from frostbench.bench.runner.plan import PlannedTask
from frostbench.bench.store.manifest import Origin
from frostbench.plugins.contract.cards import Card
from frostbench.plugins.host.identity import named_files
from frostbench.plugins.host.packs import BackboneEntry, Pack, digest_of
from frostbench.plugins.host.registry import Host, Registered
from frostbench.plugins.host.sources import Sources


def origins_of(
    config: RunConfig,
    host: Host,
    methods: Sequence[Registered[Card]],
    tasks: Sequence[PlannedTask],
    metrics: Iterable[str],
    kinds: Iterable[str],
    readers: Mapping[str, Registered[str]],
) -> Mapping[str, Mapping[str, Origin]]:
    """Where each part of the plan comes from, by kind and name.

    `kinds` are of its backbones, `readers` those of its data sets.
    """
    controls = host.controls.values() if config.controls else ()
    engine = host.pick("engine", str(config.engine.get("name", "frozen")))
    parts: dict[str, Iterable[Registered[Any]]] = {
        "method": methods,
        "task": [host.tasks[item.task.card.name] for item in tasks],
        "metric": [host.metrics[name] for name in metrics],
        "control": controls,
        "data set": [dataclasses.replace(item, name=name) for name, item in readers.items()],
        "engine": [engine],
        "backbone kind": [host.backbones[kind] for kind in kinds if kind in host.backbones],
    }
    return origins_by_kind(parts)


def origins_by_kind(
    parts: Mapping[str, Iterable[Registered[Any]]],
) -> Mapping[str, Mapping[str, Origin]]:
    """Where registered parts come from, by kind and name."""
    sources = Sources()
    return {
        kind: {item.name: _origin(item, sources) for item in items} for kind, items in parts.items()
    }


def files_outside(
    config: RunConfig, pack: Pack, backbones: Mapping[str, BackboneEntry]
) -> Mapping[str, str]:
    """SHA-256 of files outside the pack that settings and backbones name, methods' excepted."""
    named = {key: getattr(config, key) for key in ("task", "engine", "metric_weights")}
    outside = {
        role: entry.source
        for role, entry in backbones.items()
        if not Path(entry.source).is_relative_to(pack.folder)
    }
    found = [named_files(tree, key) for key, tree in (*named.items(), ("backbone", outside))]
    return {name: sha for one in found for name, sha in one.items()}


def _origin(item: Registered[Any], sources: Sources) -> Origin:
    code = digest_of(sources.of(item.offer.target))
    if item.distribution is None:
        return Origin(item.plugin, file=Path(item.file).name, code=code)
    return Origin(item.plugin, *item.distribution, code=code)
