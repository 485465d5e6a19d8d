"""Decides which rows are ranked together: same task, data, seed, language model and metric."""

import hashlib
import json
from collections.abc import Callable, Collection
from typing import Any

from frostbench.bench.store.manifest import Manifest, MetricEntry, TaskEntry


def row_identity(
    manifest: Manifest,
    task: TaskEntry,
    metric: MetricEntry,
    samples: Callable[[], Collection[str]] = tuple,
) -> str:
    """Eight hex digits: rows are ranked together only where they agree.

    They stand for the task's settings, data and seed; for a metric that uses networks of the pack,
    also for their weights; for a metric that learns from a corpus, also for the corpus. For a task
    of another bench they stand for the digest of its scoring, and for its samples, whose names
    carry the digests of their questions, whoever ran it.
    """
    if "definition" in task.settings:
        return _digest([task.name, task.settings["definition"], sorted(samples())])
    return _digest(
        {
            "settings": task.settings,
            **sample_sources(manifest, task),
            **metric_sources(manifest, task, metric),
        }
    )


def sample_sources(manifest: Manifest, task: TaskEntry) -> dict[str, Any]:
    """What a task's samples were drawn from: the seed and the data set."""
    name = task.settings.get("data")
    # A task that does not name its data set may read any.
    data = manifest.data.get(name, manifest.data) if isinstance(name, str) else manifest.data
    return {"seed": manifest.seed, "data": data}


def metric_sources(manifest: Manifest, task: TaskEntry, metric: MetricEntry) -> dict[str, Any]:
    """A metric's networks and the corpus that it learned from, by "network" and "corpus"."""
    parts: dict[str, Any] = {}
    if metric.networks:
        known = [manifest.backbones.get(role) for role in metric.networks]
        weights = [facts.sha256_before for facts in known if facts]
        parts["network"] = weights if len(weights) == len(known) else manifest.pack.sha256
    if metric.corpus:
        parts["corpus"] = task.corpus
    return parts


def _digest(parts: Any) -> str:
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
