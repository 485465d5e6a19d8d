"""The plugin that offers tasks of lmms-eval by name, with metrics and a reader of documents."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from frostbench.bench.lmms.asking import request_of, request_type
from frostbench.bench.lmms.definition import PREFIX, READER, SUITE, metric_id
from frostbench.bench.lmms.examples import examples_of
from frostbench.bench.lmms.options import question_with
from frostbench.bench.lmms.tasks.loaded import LoadedTask, loaded
from frostbench.bench.lmms.version import LmmsError
from frostbench.plugins.contract.cards import MetricFacts, Offer, TaskCard
from frostbench.plugins.contract.hooks import hookimpl
from frostbench.plugins.contract.metric import WholeSet
from frostbench.plugins.contract.predictions import Prediction, TextPrediction
from frostbench.plugins.contract.task import Instance, Sample, Target, Task, Unreadable


@dataclass(frozen=True)
class ReaderSettings:
    """Which task's documents a folder holds, and whether its questions are asked plainly."""

    task: str
    plain: bool = False


class LmmsDocuments:
    """The documents of one task of lmms-eval, in a folder of Parquet files or JSON lines."""

    settings = ReaderSettings

    def __init__(self, folder: Path, settings: ReaderSettings) -> None:
        self.loaded = loaded(settings.task, str(folder), plain=settings.plain)


@dataclass(frozen=True)
class DocumentSettings:
    """How a task of lmms-eval is asked.

    Attributes:
        definition: Digest of its scoring, which includes lmms-eval's version.
        data: The data set.
        shots: Examples before each question, drawn from another split.
        plain: Leave out the task's texts before and after a question ("Answer the question using a
            single word or phrase."), where it keeps them separate.
    """

    definition: str = ""
    data: str = ""
    shots: int = 0
    plain: bool = False


class DocumentTask(Task):
    """A task of lmms-eval: its documents are asked, and its own code scores them."""

    settings = DocumentSettings
    asks = (LmmsDocuments,)
    name: str = ""

    def __init__(self, settings: DocumentSettings) -> None:
        self.data = settings.data
        self._shots = settings.shots

    def instances(self, data: LmmsDocuments, limit: int, seed: int) -> Iterator[Sample]:
        """The documents in their order; those of one image are one cluster."""
        task = data.loaded
        for number in range(min(limit, len(task.docs))):
            yield _instance(task, number, self._shots, seed)

    def controls(self, instances: Sequence[Instance]) -> Mapping[str, Sequence[Prediction]]:
        """`chance`: one of the options, from each request's seed."""
        if "chance" not in self.card.controls:
            return {}
        made = [
            (one, random.Random(getattr(one.request, "seed", 0)), *document_of(one.target))
            for one in instances
        ]
        return {
            "chance": [
                TextPrediction(draw.choice(self.loaded().options(number)))
                for _, draw, _, number in made
            ]
        }

    @classmethod
    def loaded(cls) -> LoadedTask:
        """The loaded task."""
        raise NotImplementedError


class LmmsTasks:
    """The plugin: by the names of tasks, the folders of their documents."""

    __file__ = "lmms-eval"

    def __init__(self, folders: Mapping[str, str]) -> None:
        self._folders = folders

    @hookimpl
    def frostbench_datasets(self) -> list[Offer[str]]:
        """The reader of documents."""
        return [Offer(READER, LmmsDocuments)]

    @hookimpl
    def frostbench_tasks(self) -> list[Offer[TaskCard]]:
        """A task for each name."""
        return [self._offer(name, folder) for name, folder in self._folders.items()]

    @hookimpl
    def frostbench_metrics(self) -> list[Offer[MetricFacts]]:
        """The metrics of all tasks: means of numbers, and others as numbers of the whole set."""
        kinds: dict[str, tuple[bool, MetricFacts, Offer[MetricFacts]]] = {}
        for task in self._tasks():
            for metric, filtered in task.metrics:
                mean = task.is_mean(metric) and kinds.get(metric_id(metric, filtered), (True,))[0]
                offer = self._metric(metric, filtered, task.higher_is_better(metric), mean)
                kinds[offer.card.id] = mean, offer.card, offer
        return [offer for _, _, offer in kinds.values()]

    def _tasks(self) -> Iterator[LoadedTask]:
        return (loaded(name, folder) for name, folder in self._folders.items())

    def _metric(self, metric: str, filtered: str, higher: bool, mean: bool) -> Offer[MetricFacts]:
        facts = MetricFacts(
            metric_id(metric, filtered),
            direction="higher" if higher else "lower",
            pooling="mean" if mean else "whole",
        )
        read = partial(self._read, metric, filtered)
        if mean:
            return Offer(facts, partial(_second, read))
        return Offer(facts, WholeSet(read, partial(self._aggregated, metric)))

    def _read(
        self, metric: str, filtered: str, prediction: Prediction, target: Target
    ) -> tuple[str, Any] | None:
        """A function for a task's own score of an answer; None where it has no such metric."""
        if not isinstance(prediction, TextPrediction):
            raise ValueError("lmms-eval scores texts alone")
        name, number = document_of(target)
        found = _results(name, self._folders[name], number, prediction.text)
        value = found.get(filtered, {}).get(metric)
        return None if value is None else (name, value)

    def _aggregated(self, metric: str, values: Sequence[tuple[str, Any]]) -> float:
        name = values[0][0]
        return loaded(name, self._folders[name]).aggregate(metric, [one for _, one in values])

    def _offer(self, name: str, folder: str) -> Offer[TaskCard]:
        task = loaded(name, folder)
        ids = tuple(dict.fromkeys(metric_id(*one) for one in task.metrics))
        chance = ("chance",) if task.options(0) else ()
        card = TaskCard(
            name=PREFIX + name,
            suite=SUITE,
            request_type=request_type(name),
            reads="text",
            metrics=ids,
            ranks_by=ids[0],
            controls=(*chance, "no_image", "other_image"),
            summary=f"{name}, a task of lmms-eval",
        )
        members = {"card": card, "name": name, "loaded": classmethod(lambda cls: task)}
        return Offer(card, type("DocumentTask", (DocumentTask,), members))


@lru_cache(maxsize=1 << 16)
def _results(name: str, folder: str, number: int, said: str) -> Mapping[str, Mapping[str, Any]]:
    return loaded(name, folder).results(number, said)


def _second(read: Callable[..., tuple[str, Any] | None], *pair: Any) -> float | None:
    found = read(*pair)
    return None if found is None else float(found[1])


def _instance(task: LoadedTask, number: int, shots: int, seed: int) -> Sample:
    """The request of a document with its target, or why there is none."""
    try:
        sample = task.sample(number)
        if task.options_scored:
            sample = replace(sample, text=question_with(sample.text, task.options(number)))
        examples, said = examples_of(task.task, task.split, number, shots, seed)
        request = request_of(sample, seed, examples, said)
    except LmmsError as error:
        return Unreadable(f"{number:06d}", None, str(error))
    asked = task.text(task.docs[number])
    request = replace(request, id=task.id(number, asked))
    return Instance(request, target_of(task, number), None, request.image.digest[:16])


def target_of(task: LoadedTask, number: int) -> tuple[str, ...]:
    """The right answers, for people, and at the end the document that scoring looks up."""
    return (*task.answers(number), f"{PREFIX}{task.name}#{number}")


def document_of(target: Target) -> tuple[str, int]:
    """The task and the document's number to which a target belongs.

    Raises:
        ValueError: it is none of lmms-eval's.
    """
    name, _, number = (target[-1] if isinstance(target, tuple) else "").rpartition("#")
    if not name.startswith(PREFIX):
        raise ValueError("lmms-eval scores documents of its own tasks alone")
    return name.removeprefix(PREFIX), int(number)
