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
    name = task.settings.get("data")
    parts: dict[str, Any] = {
        "settings": task.settings,
        "seed": manifest.seed,
        # A task that does not say which data set it reads may read any.
        "data": manifest.data.get(name, manifest.data) if isinstance(name, str) else manifest.data,
    }
    if metric.networks:
        known = [manifest.backbones.get(role) for role in metric.networks]
        weights = [facts.sha256_before for facts in known if facts]
        parts["network"] = weights if len(weights) == len(known) else manifest.pack.sha256
    if metric.corpus:
        parts["corpus"] = task.corpus
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
