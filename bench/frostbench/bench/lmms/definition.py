"""A digest of how a task of lmms-eval scores, the same from the task and from its results."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

SUITE = "lmms"
"""The suite of all tasks of lmms-eval."""
READER = "lmms"
"""The reader of its documents, and the key of the folder with those of all tasks."""
PREFIX = "lmms:"
"""The prefix of its tasks among ours."""
UNANSWERED = "[frostbench has no answer] "
"""The beginning of the text that replaces a missing answer of our models."""
PARTS = ("task", "output_type", "process_results", "metric_list", "filter_list", "repeats")
UNREADABLE = "unreadable[share]"
"""In our tasks in lmms-eval: the share of answers that are not of the requested form."""
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def definition_of(config: Mapping[str, Any], version: str) -> str:
    """A digest over a task's name, metrics, aggregations and filters, and lmms-eval's version.

    The code of its functions stands in no file of results; the version stands for it.
    """
    parts = {name: config[name] for name in PARTS if config.get(name) is not None}
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(f"{version}\n{_ADDRESS.sub('', text)}".encode()).hexdigest()[:16]


def document_id(number: int, asked: str, right: str) -> str:
    """A sample's id: its number, and a digest of its question and answers where they are text."""
    said = json.dumps([asked.strip(), right])
    return f"{number:06d}-{hashlib.sha256(said.encode()).hexdigest()[:8]}"


def metric_id(metric: str, filtered: str = "none") -> str:
    """The name of a metric of lmms-eval here, with its protocol in brackets.

    >>> metric_id("mme_perception_score"), metric_id("exact_match", "flexible-extract")
    ('mme_perception[lmms]', 'exact_match[lmms-flexible-extract]')
    """
    stem = metric.removesuffix("_score") or metric
    return f"{stem}[lmms]" if filtered == "none" else f"{stem}[lmms-{filtered}]"
