"""A digest of how a task of lmms-eval scores, the same from the task and from its results."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

SUITE = "lmms"
"""The suite of all that lmms-eval asks."""
READER = "lmms"
"""What reads its documents, and the key of the folder in which those of all tasks lie."""
PREFIX = "lmms:"
"""How its tasks are called among ours."""
UNANSWERED = "[frostbench has no answer] "
"""How it begins what stands in the place of an answer that our models do not give."""
PARTS = ("task", "output_type", "process_results", "metric_list", "filter_list", "repeats")
UNREADABLE = "unreadable[share]"
"""In our tasks as lmms-eval's: the share of answers that are none of what is asked for."""
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def definition_of(config: Mapping[str, Any], version: str) -> str:
    """A digest over a task's name, metrics, aggregations and filters, and lmms-eval's version.

    The code of its functions stands in no file of results; the version stands for it.
    """
    parts = {name: config[name] for name in PARTS if config.get(name) is not None}
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(f"{version}\n{_ADDRESS.sub('', text)}".encode()).hexdigest()[:16]


def document_id(number: int, asked: str, right: str) -> str:
    """A sample by its number and by what it asks and holds right, as far as that is text."""
    said = json.dumps([asked.strip(), right])
    return f"{number:06d}-{hashlib.sha256(said.encode()).hexdigest()[:8]}"


def metric_id(metric: str, filtered: str = "none") -> str:
    """What a metric of lmms-eval is called here: its protocol in brackets.

    >>> metric_id("mme_perception_score"), metric_id("exact_match", "flexible-extract")
    ('mme_perception[lmms]', 'exact_match[lmms-flexible-extract]')
    """
    stem = metric.removesuffix("_score") or metric
    return f"{stem}[lmms]" if filtered == "none" else f"{stem}[lmms-{filtered}]"
