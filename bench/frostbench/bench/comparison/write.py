"""Writes a comparison as a folder with index.html and comparison.json."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from frostbench.bench.comparison.build import RunComparison
from frostbench.bench.comparison.contrast import Contrast
from frostbench.bench.comparison.page import page
from frostbench.bench.store.atomic import replacing

DATA = "comparison.json"
OURS = {DATA, "index.html"}


def write_comparison(comparison: RunComparison, folder: Path) -> None:
    """Write `index.html`, which holds its images, and `comparison.json`.

    Raises:
        StoreError: the folder holds something else than a comparison, or cannot be written.
    """
    with replacing(folder, DATA, lambda path: path.as_posix() in OURS) as made:
        text = json.dumps(as_values(comparison), indent=1, ensure_ascii=False, allow_nan=False)
        for name, content in (("index.html", page(comparison)), (DATA, text + "\n")):
            # A lone half of a letter is in no encoding.
            (made / name).write_text(content, encoding="utf-8", errors="backslashreplace")


def as_values(comparison: RunComparison) -> Mapping[str, Any]:
    """Plain values: every difference and every number."""
    return {
        "runs": list(comparison.names),
        "family": comparison.family,
        "level": comparison.inference.level,
        "sources": {
            subject.name: [asdict(one) for one in subject.differences]
            for subject in comparison.subjects
        },
        "contrasts": [_values(one) for one in comparison.contrasts],
    }


def _values(one: Contrast) -> dict[str, Any]:
    apart = one.test.difference if one.test else None
    return {
        **asdict(one.spot),
        "metric": one.metric.id,
        "outcome": one.outcome,
        "reason": one.reason or None,
        "first": one.first.value if one.first else None,
        "second": one.second.value if one.second else None,
        "difference": apart.value if apart else None,
        "low": apart.low if apart else None,
        "high": apart.high if apart else None,
        "interval": apart.interval.how if apart else None,
        "p": one.test.p if one.test else None,
        "samples": one.samples,
        "lone": one.lone,
        "answers": one.answers,
        "changed": [
            {"sample": c.before.sample, "first": c.first, "second": c.second} for c in one.changed
        ],
        "costs": [asdict(cost) if cost else None for cost in one.costs],
    }
