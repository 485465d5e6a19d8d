"""A task of lmms-eval, loaded over local documents."""

import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

from frostbench.bench.lmms.asking import LmmsSample
from frostbench.bench.lmms.definition import definition_of, document_id
from frostbench.bench.lmms.options import drawn, option_in
from frostbench.bench.lmms.tasks.documents import files_by_split, find
from frostbench.bench.lmms.version import LmmsError, fitting
from frostbench.plugins.contract.seeds import seed_of
from frostbench.plugins.host.errors import guess

ASKING = ("generate_until", "multiple_choice")
"""Kinds of tasks that a method can be asked: each is answered by one text."""
REASONING = [["<think>", "</think>"], ["<analysis>", "</analysis>"]]
"""The text that lmms-eval's command line removes from answers before it scores them."""
FEW = 5  # texts; if a task has at most this many different answers, they are its options


@lru_cache(maxsize=1)
def index() -> Any:
    """All tasks that lmms-eval has; some seconds.

    Raises:
        LmmsError: lmms-eval is not installed, or does not fit.
    """
    fitting()
    _offline()
    from lmms_eval.tasks import TaskManager

    with _quiet():
        return TaskManager("ERROR", model_name="frostbench")


def names_in(name: str) -> list[str]:
    """The tasks that a name stands for: itself, or those of a group or tag.

    Raises:
        LmmsError: lmms-eval has none of that name.
    """
    known = index().task_index
    if name not in known:
        raise LmmsError(
            f"lmms-eval has no task {name!r}.{guess(name, list(known))} "
            f"`lmms-eval tasks list` shows its {len(known)}."
        )
    entry = known[name]
    if entry["type"] == "task":
        return [name]
    if entry["type"] == "python_task":
        raise LmmsError(f"task 'lmms:{name}' is a class of its own, which reads data by itself.")
    inner = entry["task"]
    members = _config(name).get("task", []) if inner == -1 else inner
    found = [one for member in members for one in names_in(_name(member))]
    return list(dict.fromkeys(found))


@dataclass(frozen=True)
class LoadedTask:
    """One task, opened from a folder; `task` is lmms-eval's own object."""

    name: str
    task: Any

    @property
    def split(self) -> str:
        """The split that is asked."""
        return str(self.task.config.test_split or self.task.config.validation_split)

    @property
    def docs(self) -> Any:
        """Its documents."""
        return self.task.dataset[self.split]

    @cached_property
    def _scored(self) -> Any:
        """The documents as lmms-eval scores them: without media, unless the task needs them."""
        return self.task.eval_docs_no_media

    @cached_property
    def definition(self) -> str:
        """The digest of its scoring."""
        return definition_of(self.task.dump_config(), fitting())

    def sample(self, number: int) -> LmmsSample:
        """A document as models are shown it."""
        doc = self.docs[number]
        visuals = self.task.doc_to_visual(doc)
        return LmmsSample(self.name, number, self.text(doc), visuals)

    def text(self, doc: Any) -> str:
        """The question of a document, with the task's own text before it."""
        return str(self.task.fewshot_context(doc, 0))

    def right(self, number: int) -> str:
        """The right answer of a document, as in its file of samples."""
        return str(self.task.doc_to_target(self._scored[number]))

    def answers(self, number: int) -> tuple[str, ...]:
        """The right answers of a document, as texts."""
        doc = self._scored[number]
        target = self.task.doc_to_target(doc)
        several = target if isinstance(target, list | tuple) else [target]
        if self.task.config.doc_to_choice is not None:
            choices = self.options(number)
            several = [choices[one] if isinstance(one, int) else one for one in several]
        return tuple(str(one).strip() for one in several)

    def id(self, number: int, asked: str) -> str:
        """The sample's name, which changes with its question."""
        return document_id(number, asked, self.right(number))

    def options(self, number: int) -> list[str]:
        """The options of a document; empty where there are none."""
        if self.task.config.doc_to_choice is not None:
            return [str(one) for one in self.task.doc_to_choice(self._scored[number])]
        return self._common

    @cached_property
    def _common(self) -> list[str]:
        found: dict[str, None] = {}
        for number in range(len(self._scored)):
            found.update(dict.fromkeys(self.answers(number)[:1]))
            if len(found) > FEW:
                return []
        return sorted(found) if len(found) > 1 else []

    @property
    def metrics(self) -> Iterator[tuple[str, str]]:
        """Each metric with each filter of answers."""
        filters = [one.name for one in self.task._filters]
        return ((metric, one) for metric in self.task.aggregation() for one in filters)

    def higher_is_better(self, metric: str) -> bool:
        """Whether more of it is better."""
        return bool(self.task.higher_is_better().get(metric, True))

    def results(self, number: int, said: str) -> Mapping[str, Mapping[str, Any]]:
        """By filter, lmms-eval's own scores of an answer.

        Raises:
            ValueError: it fails; the message says how.
        """
        from lmms_eval.api.instance import Instance
        from lmms_eval.api.reasoning import strip_reasoning_tags

        doc = self._scored[number]
        found: dict[str, Mapping[str, Any]] = {}
        # Without lmms-eval's five attempts, two seconds apart, after a failure.
        process = getattr(type(self.task).process_results, "__wrapped__", None)
        score = self.task.process_results if process is None else _bound(process, self.task)
        for ensemble in self.task._filters:
            about = {"task": self.name, "doc_id": number, "repeats": 1}
            instance = Instance("generate_until", (), 0, about, resps=[said])
            ensemble.apply([instance], self._scored)
            left = instance.filtered_resps[ensemble.name]
            if isinstance(left, str):
                left = strip_reasoning_tags(left, REASONING)
            several = self._losses(number, left) if self.options_scored else [left]
            with _quiet():
                found[ensemble.name] = score(doc, several)
        return found

    @property
    def options_scored(self) -> bool:
        """Whether it scores losses of options, and no text."""
        return str(self.task.OUTPUT_TYPE) == "multiple_choice"

    def aggregate(self, metric: str, values: Sequence[Any]) -> float:
        """lmms-eval's aggregate of a metric's values."""
        function = self.task.aggregation()[metric]
        more = {"args": None} if "args" in inspect.signature(function).parameters else {}
        with _quiet():
            return float(function(list(values), **more))

    def is_mean(self, metric: str) -> bool:
        """Whether a metric is the mean of numbers."""
        from lmms_eval.api.registry import get_aggregation

        return bool(self.task.aggregation()[metric] is get_aggregation("mean"))

    def _losses(self, number: int, said: str) -> list[tuple[float, bool]]:
        options = self.options(number)
        chosen = option_in(said, options)
        if chosen is None:
            chosen = drawn(options, seed_of(0, self.name, number, "option"))
        return [(float(place != chosen), place == chosen) for place in range(len(options))]


@lru_cache(maxsize=64)
def loaded(name: str, folder: str, *, plain: bool = False) -> LoadedTask:
    """A task over the documents in a folder; `plain` leaves out its texts around a question.

    Raises:
        LmmsError: it is of a kind that no method answers, or its documents cannot be read.
    """
    config = _config(name)
    splits = [config.get("test_split") or config.get("validation_split")]
    splits += [config.get(key) for key in ("fewshot_split", "training_split", "validation_split")]
    wanted = list(dict.fromkeys(str(one) for one in splits if one))
    kind = str(config.get("output_type"))
    if kind not in ASKING or not wanted:
        raise LmmsError(
            f"task 'lmms:{name}' asks by {kind!r}, and methods answer {' and '.join(ASKING)}."
        )
    inner = config.get("dataset_name")
    reader, files = files_by_split(Path(folder), name, inner, wanted)
    import datasets

    datasets.disable_progress_bars()
    local: dict[str, Any] = {"dataset_path": reader, "dataset_name": None}
    local |= _reading_here(config, Path(folder))
    local["dataset_kwargs"] = {"data_files": files}
    if plain:
        around = dict(config.get("lmms_eval_specific_kwargs") or {})
        bare = {**around.get("default", around), "pre_prompt": "", "post_prompt": ""}
        local["lmms_eval_specific_kwargs"] = {"default": bare}
    try:
        with _quiet():
            made = index().load_task_or_group([{"task": name, **local}])
    except Exception as error:  # lmms-eval's code, and the documents'
        raise LmmsError(f"task 'lmms:{name}' over {folder}: {cause(error)}") from error
    return LoadedTask(name, made[name])


def place_of(name: str, root: Path | None) -> Path:
    """The folder of a task's documents; see `find`."""
    return find(root, name, str(_config(name).get("dataset_path") or name))


def cause(error: BaseException) -> str:
    """The actual error, out of the attempts that lmms-eval wraps it in."""
    attempt = getattr(error, "last_attempt", None)
    inner = attempt.exception() if attempt is not None else None
    found = inner if inner is not None else error
    lines = str(found).strip().splitlines()
    return f"{type(found).__name__}: {lines[0] if lines else 'it says nothing'}"


def _bound(function: Callable[..., Any], task: Any) -> Callable[[Any, Any], Any]:
    return lambda doc, results: function(task, doc, results)


def _config(name: str) -> dict[str, Any]:
    """A task's or group's configuration as it is written, with what it includes."""
    from lmms_eval.utils import load_yaml_config

    names_known = index().task_index
    return dict(load_yaml_config(names_known[name]["yaml_path"], mode="full"))


def _name(member: Any) -> str:
    return str(member["task"] if isinstance(member, Mapping) else member)


def _reading_here(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Let functions of a task that load data sets themselves (GQA's images) read them from here."""
    found = {}
    for key in ("process_docs", "doc_to_visual", "doc_to_text", "doc_to_target", "process_results"):
        function = config.get(key)
        known = getattr(function, "__globals__", {})
        if "load_dataset" in known:
            known["load_dataset"] = partial(_from_here, config, folder)
            found[key] = function
    return found


def _from_here(
    config: Mapping[str, Any],
    folder: Path,
    path: str,
    name: str | None = None,
    split: str | None = None,
    **_: Any,
) -> Any:
    import datasets

    own = path == config.get("dataset_path")
    place = folder if own else find(folder.parent, path, path)
    reader, files = files_by_split(place, path, name, [split or "train"])
    return datasets.load_dataset(reader, data_files=files, split=split)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the logs of lmms-eval and its tasks."""
    from loguru import logger

    logger.disable("")
    try:
        yield
    finally:
        logger.enable("")


def _offline() -> None:
    """Keep lmms-eval and what it imports from downloading anything."""
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_EVALUATE_OFFLINE"):
        os.environ.setdefault(name, "1")
    import datasets
    import huggingface_hub.constants

    huggingface_hub.constants.HF_HUB_OFFLINE = True
    datasets.config.HF_HUB_OFFLINE = True
