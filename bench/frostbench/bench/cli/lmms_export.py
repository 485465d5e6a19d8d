"""`frostbench lmms-tasks`: writes our tasks as task files of lmms-eval."""

import dataclasses
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from frostbench.bench.cli.config import RunConfig, UsageError, read_config, split_words
from frostbench.bench.cli.plugins import open_host
from frostbench.bench.lmms.definition import PREFIX, UNREADABLE
from frostbench.bench.printable import say
from frostbench.bench.store.manifest import MetricEntry

SERVED = "frostbench.bench.lmms.suites"  # whose functions the files name
GROUP = "frostbench"


def export_command(words: list[str]) -> int:
    """Write a folder for lmms-eval's --include_path: a YAML file a task and protocol."""
    plain, overrides = split_words(words)
    if plain:
        raise UsageError(f"lmms-tasks takes KEY=VALUE words, not {plain[0]!r}.")
    config = read_config(RunConfig, overrides)
    if config.out == RunConfig.out:
        raise UsageError("which folder? Write lmms-tasks out=FOLDER.")
    if any(name.startswith(PREFIX) for name in config.tasks):
        raise UsageError("lmms-eval has its own tasks already; name tasks of frostbench.")
    host = open_host(config)

    from frostbench.bench.cli.assemble import assemble
    from frostbench.bench.runner.manifest import describe_metrics

    folder = Path(config.out)
    asked = _found_again(dataclasses.replace(config, controls=False))
    plan = assemble(asked, host)
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()) and not (folder / _group_file()).exists():
        raise UsageError(f"out={folder}: it holds something else; name a folder of its own.")
    names: list[str] = []
    for planned in plan.tasks:
        card = planned.task.card
        found = describe_metrics(one.facts for one in plan.metrics_of(planned).values())
        metrics = [one for one in found.values() if one.pooling != "whole"]
        for protocol in card.protocols or (None,):
            name = "_".join(filter(None, (GROUP, card.name, _plain(protocol))))
            config_of = dataclasses.replace(asked, tasks=[card.name], suites=[])
            line = {
                "config": json.dumps(dataclasses.asdict(config_of)),
                "task": card.name,
                "protocol": protocol or "",
            }
            (folder / f"{name}.jsonl").write_text(json.dumps(line) + "\n")
            (folder / f"{name}.yaml").write_text("\n".join(_lines(name, metrics)) + "\n")
            names.append(name)
    group = [f"group: {GROUP}", "task:", *(f"  - {name}" for name in names)]
    (folder / _group_file()).write_text("\n".join(group) + "\n")
    say(f"{folder}: {len(names)} tasks, and {GROUP} for all: lmms-eval --include_path {folder}")
    return 0


def _lines(name: str, metrics: list[MetricEntry]) -> Iterator[str]:
    served = f"!function {SERVED}.served"
    yield f"task: {name}"
    yield "dataset_path: json"
    yield f"dataset_kwargs: {{data_files: {{test: {name}.jsonl}}}}"
    yield "test_split: test"
    yield "output_type: generate_until"
    yield f"process_docs: {served}.documents"
    yield f"doc_to_visual: {served}.visuals"
    yield f"doc_to_text: {served}.text"
    yield f"doc_to_target: {served}.target"
    yield "generation_kwargs: {max_new_tokens: 1024, temperature: 0, do_sample: false}"
    yield f"process_results: {served}.process_results"
    yield "metric_list:"
    for metric in metrics:
        yield f"  - metric: {json.dumps(metric.id)}"
        yield f"    aggregation: !function {SERVED}.aggregates.of_{metric.pooling}"
        yield f"    higher_is_better: {str(metric.direction != 'lower').lower()}"
    yield f"  - metric: {json.dumps(UNREADABLE)}"
    yield "    aggregation: mean"
    yield "    higher_is_better: false"
    yield "metadata: {version: 1}"


def _found_again(config: RunConfig) -> RunConfig:
    """The configuration with absolute paths, so that it can be read from anywhere."""
    data: dict[str, Any] = {name: _whole(value) for name, value in config.data.items()}
    pack = os.path.abspath(config.pack) if Path(config.pack).is_dir() else config.pack
    plugins = [os.path.abspath(one) for one in config.plugins]
    networks = {name: os.path.abspath(one) for name, one in config.metric_weights.items()}
    return dataclasses.replace(
        config, data=data, pack=pack, plugins=plugins, metric_weights=networks, preset=""
    )


def _whole(value: Any) -> Any:
    """The absolute path of a data set."""
    if isinstance(value, Mapping):
        whole = {"folder": os.path.abspath(str(value["folder"]))} if "folder" in value else {}
        return {**value, **whole}
    reader, colon, folder = str(value).rpartition(":")
    return f"{reader}{colon}{os.path.abspath(os.path.expanduser(folder))}"


def _plain(protocol: str | None) -> str:
    """A protocol in letters, digits and hyphens that a task's name may hold."""
    return "".join(one if one.isalnum() or one in "-." else "_" for one in protocol or "")


def _group_file() -> str:
    return f"{GROUP}.yaml"
