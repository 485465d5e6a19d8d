"""Reads manifests of older schemas as manifests of the current schema.

Each step takes a manifest, plain as it lies in its file, to the next schema. Facts that older code
read off an id (which metric is a share, which uses which network) are known only here.
"""

from collections.abc import Callable, Mapping
from typing import Any

_SHARES = (
    *("accuracy", "bleu", "ciou", "miou", "p@", "average_recall", "anls"),
    *("f1", "precision", "recall", "yes"),
)
_NETWORKS: Mapping[str, tuple[str, ...]] = {
    "clip_score": ("clip",),
    # The language model's tokens are the words that others are compared with.
    "clip_score_relative": ("clip", "llm"),
}
_CEILINGS = ("ceiling", "oracle_box", "bare_lmm")
_DRAWN = ("copy", "no_llm", "floor", "ceiling")


def migrated(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """A manifest of any schema until now as one of the current schema.

    Raises:
        ValueError: a later frostbench wrote it.
        KeyError: it lacks a part.
    """
    schema = manifest.get("schema", 0)
    if schema not in range(SCHEMA + 1):
        raise ValueError(
            f"its schema is {schema!r}, and this frostbench reads those up to {SCHEMA}: install "
            f"frostbench {manifest.get('frostbench', 'as new as the run')} or later"
        )
    for step in _STEPS[schema:]:
        manifest = step(manifest)
    return manifest


def _metric_entry(name: str, old: Mapping[str, Any], pack: str) -> dict[str, Any]:
    """A metric of schema 0 with the facts that stood in its id; brackets may name the pack."""
    stem, _, network = name.partition("[")
    bounds = old.get("lower"), old.get("upper")
    direction = "higher" if old["higher_is_better"] else "lower"
    return {
        "id": name,
        "unit": "of 10" if stem.startswith("cider") and bounds == (0, 10) else old.get("unit", ""),
        "lower": bounds[0],
        "upper": bounds[1],
        "direction": "neither" if name.startswith("yes[") else direction,
        "percent": name.startswith(_SHARES) and bounds == (0, 1),
        "networks": _NETWORKS.get(stem, ("perceptual",)) if network == f"{pack}]" else (),
        "pooling": "features" if old.get("set") else old.get("pooling") or "mean",
        "corpus": bool(old.get("corpus")),
    }


def _control_entry(name: str, meaning: str) -> dict[str, Any]:
    """A control of schema 0, which stored only its meaning."""
    return {"meaning": meaning, "ceiling": name in _CEILINGS, "drawn": name in _DRAWN}


def _with_facts(old: Mapping[str, Any]) -> Mapping[str, Any]:
    """From 0 to 1: metrics and controls carry facts that had been read off their names."""
    pack = old["pack"]["name"]
    tasks = {
        name: {
            **task,
            "name": name,
            "controls": {
                control: _control_entry(control, meaning)
                for control, meaning in task["controls"].items()
            },
        }
        for name, task in old["tasks"].items()
    }
    metrics = {name: _metric_entry(name, entry, pack) for name, entry in old["metrics"].items()}
    return {**old, "schema": 1, "tasks": tasks, "metrics": metrics}


_STEPS: tuple[Callable[[Mapping[str, Any]], Mapping[str, Any]], ...] = (_with_facts,)

SCHEMA = len(_STEPS)
"""The schema that is written today."""
