"""Results for the Hugging Face Hub: `.eval_results/*.yaml` of a method's repository.

An entry holds one number and no name for it, so that metric, protocol and interval are its notes.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from frostbench.bench.exchange.names import folder_name
from frostbench.bench.leaderboard.numbers import format_of
from frostbench.bench.leaderboard.rows import Leaderboard, Row
from frostbench.bench.store.manifest import Manifest

FILE = ".eval_results/frostbench.yaml"


@dataclass(frozen=True)
class HubPlace:
    """The benchmark's data-set repository on the Hub, and a page about the evaluation."""

    dataset: str
    source: str = ""


def hub_results(leaderboard: Leaderboard, place: HubPlace) -> Iterator[tuple[str, str]]:
    """A folder a method, with its results, and `eval.yaml` for the benchmark's repository."""
    numbers = range(1, len(leaderboard.manifests) + 1)
    methods = sorted({name for one in leaderboard.manifests for name in one.methods})
    for method in methods:
        entries = [
            entry for number in numbers for entry in _measured(method, number, leaderboard, place)
        ]
        entries += _reported(method, leaderboard, place)
        if entries:
            yield f"{folder_name(method)}/{FILE}", _yaml(_plain(entries))
    tasks = {
        task_id(task.name, protocol): {"id": task_id(task.name, protocol), "config": task.name}
        for manifest in leaderboard.manifests
        for task in manifest.tasks.values()
        for protocol in task.ways
    }
    about = {
        "name": "frostbench",
        "description": "One bench on which frozen-model vision methods meet on equal terms.",
        "evaluation_framework": "frostbench",
        "tasks": [{**task, "split": "test"} for task in tasks.values()],
    }
    yield "eval.yaml", _yaml(about)


def task_id(task: str, protocol: str | None) -> str:
    """A task under a protocol, in letters that an id may have.

    >>> task_id("few_shot_classification", "2-way 1-shot")
    'few_shot_classification_2-way_1-shot'
    """
    return _id(f"{task} {protocol or ''}".rstrip())


def _measured(method: str, number: int, leaderboard: Leaderboard, place: HubPlace) -> Iterator[Any]:
    from huggingface_hub import EvalResultEntry

    manifest = leaderboard.manifests[number - 1]
    for row in leaderboard.rows:
        mine = row.kind == "measured" and (row.method, row.run) == (method, number)
        if mine and row.value is not None and row.metric == manifest.tasks[row.task].ranks_by:
            form = format_of(manifest.metrics[row.metric], [row.value])
            yield EvalResultEntry(
                dataset_id=place.dataset,
                task_id=task_id(row.task, row.protocol),
                value=row.value * form.scale,
                date=manifest.finished or manifest.created or None,
                source_url=place.source or None,
                source_name="frostbench" if place.source else None,
                notes=_notes(row, manifest, leaderboard),
            )


def _notes(row: Row, manifest: Manifest, leaderboard: Leaderboard) -> str:
    metric = manifest.metrics[row.metric]
    form = format_of(metric, [row.value])
    turn = {"higher": "higher is better", "lower": "lower is better", "neither": "neither end"}
    parts = [
        f"{metric.id}{f' in {form.unit}' if form.unit else ''}, {turn[metric.direction]}",
        f"protocol {row.protocol}" if row.protocol else "",
        f"{leaderboard.inference.level:.0%} interval {form.interval(row.low, row.high)}"
        if row.low is not None
        else f"interval {row.interval}",
        f"{row.samples} samples",
        f"rank {row.rank}" if row.rank else "",
        *(
            f"{verdict.outcome} {verdict.control}"
            for verdict in leaderboard.verdicts
            if (verdict.run, verdict.task, verdict.protocol, verdict.method)
            == (row.run, row.task, row.protocol, row.method)
        ),
        f"pack {manifest.pack.name}, seed {manifest.seed}, frostbench {manifest.frostbench}",
    ]
    return "; ".join(filter(None, parts))


def _reported(method: str, leaderboard: Leaderboard, place: HubPlace) -> Iterator[Any]:
    """Values of papers, each marked as reported."""
    from huggingface_hub import EvalResultEntry

    for row in leaderboard.rows:
        if row.kind == "reported" and row.method == method:
            doubt = "" if row.verified else "; not seen in the publication itself"
            yield EvalResultEntry(
                dataset_id=place.dataset,
                task_id=_id(f"reported {row.task} {row.metric}"),
                value=row.value,
                notes=f"reported, not measured: {row.metric}, {row.setting}; {row.source}{doubt}",
            )


def _plain(entries: Sequence[Any]) -> Any:
    from huggingface_hub import eval_result_entries_to_yaml

    return eval_result_entries_to_yaml(list(entries))


def _yaml(value: Any) -> str:
    import yaml

    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100))


def _id(name: str) -> str:
    return re.sub(r"[^\w@.-]+", "_", name).strip("._") or "method"
