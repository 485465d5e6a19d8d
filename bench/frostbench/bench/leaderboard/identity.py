"""Which rows are ranked together: those of one task, with one data set, seed and metric."""

import hashlib
import json
from typing import Any

from frostbench.bench.store.manifest import Manifest, MetricEntry, TaskEntry


def row_identity(manifest: Manifest, task: TaskEntry, metric: MetricEntry) -> str:
    """Eight hex digits: rows are ranked together only where they agree.

    They stand for the task's settings, data and seed, and, where the metric looks through networks
    of the pack, for their weights; of a metric that learns from a corpus, for the corpus.
    """
    parts = {
        "settings": task.settings,
        **sample_sources(manifest, task),
        **metric_sources(manifest, task, metric),
    }
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def sample_sources(manifest: Manifest, task: TaskEntry) -> dict[str, Any]:
    """What a task's samples were drawn from: the seed and the data set."""
    name = task.settings.get("data")
    # A task that does not say which data set it reads may read any.
    data = manifest.data.get(name, manifest.data) if isinstance(name, str) else manifest.data
    return {"seed": manifest.seed, "data": data}


def metric_sources(manifest: Manifest, task: TaskEntry, metric: MetricEntry) -> dict[str, Any]:
    """What a metric looks through or learned from, by "network" and "corpus"."""
    parts: dict[str, Any] = {}
    if metric.networks:
        known = [manifest.backbones.get(role) for role in metric.networks]
        weights = [facts.sha256_before for facts in known if facts]
        parts["network"] = weights if len(weights) == len(known) else manifest.pack.sha256
    if metric.corpus:
        parts["corpus"] = task.corpus
    return parts
