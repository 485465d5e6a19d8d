"""Reads `--model_args`: the keys of the run in which a method answers lmms-eval."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from frostbench.bench.cli.config import RunConfig, UsageError, read_config
from frostbench.plugins.host.errors import missing

KEYS = (
    *("pack", "llm", "dtype", "seed", "device", "memory", "isolate", "chunk", "cache", "out"),
    *("plugins", "plugins.disabled", "engine", "method", "metric_weights", "quiet"),
    *("most_waves", "most_seconds", "error_length"),
)
"""The keys of `frostbench run` that apply; lmms-eval decides what is asked and how it is scored."""
NAMES = ("model_name", "model_id", "model", "pretrained", "path", "model_version")
"""Keys that only name lmms-eval's folder of results."""
THEIRS = ("batch_size", "max_batch_size")
"""Arguments that lmms-eval passes to every model, ignored here: the engine batches by itself."""


@dataclass(frozen=True)
class ModelSettings:
    """A method, the configuration that it runs under, and the examples that it is shown."""

    method: str
    config: RunConfig
    shots: int = 0


def settings_of(method: str, given: Mapping[str, Any]) -> ModelSettings:
    """The settings of a model, made from lmms-eval's keyword arguments.

    Raises:
        UsageError: no method is named, two are, or a key is none.
    """
    values = {key: one for key, one in given.items() if key not in (*NAMES, *THEIRS)}
    named = values.pop("method", None) if isinstance(values.get("method"), str) else None
    if named and method and named != method:
        raise UsageError(f"method={named}: this model is {method!r}; --model frostbench is any.")
    chosen = method or named
    if not chosen:
        raise UsageError("which method? Write --model frostbench_NAME, or method=NAME.")
    shots = values.pop("shots", 0)
    if isinstance(shots, bool) or not isinstance(shots, int) or shots < 0:
        raise UsageError(f"shots={shots}: a number of examples, from 0 on.")
    for key in values:
        first = key if key in KEYS else key.partition(".")[0]
        if first not in KEYS:
            told = missing("key of --model_args", key, [*KEYS, "shots", *NAMES])
            raise UsageError(f"{told} Tasks, limits and controls are lmms-eval's to say.")
    rank = os.environ.get("LOCAL_RANK")
    if values.get("device") == "cuda" and rank:
        values["device"] = f"cuda:{rank}"  # of several processes, each has a card of its own
    words = [f"{key}={_word(one)}" for key, one in _leaves(values)]
    config = read_config(RunConfig, [f"methods={chosen}", "controls=false", *words])
    return ModelSettings(str(chosen), config, shots)


def _leaves(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
