"""The functions that the generated task files name: documents, prompts, and scores.

A document is a sample of a task of ours, made again from the task's own settings; no pixels go
through a file. Methods of ours get the request itself.
"""

import json
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

from frostbench.bench.cli.assemble import assemble
from frostbench.bench.cli.config import RunConfig
from frostbench.bench.cli.plugins import open_host
from frostbench.bench.lmms.asking import Posed
from frostbench.bench.lmms.definition import UNREADABLE
from frostbench.bench.lmms.suites.outputs import prediction_in
from frostbench.bench.lmms.suites.wording import visuals_of, words_of
from frostbench.bench.lmms.version import LmmsError
from frostbench.bench.runner.corpus import scoring_of
from frostbench.bench.runner.instances import instances_of
from frostbench.bench.runner.scoring import SampleScores, Scoring
from frostbench.bench.store.blobs import Blobs
from frostbench.bench.store.typed import typed
from frostbench.bench.store.values import as_stored, target_as_stored
from frostbench.plugins.contract.cards import TaskCard
from frostbench.plugins.contract.requests import Request
from frostbench.plugins.contract.task import Instance, Sample, Unreadable

WINDOW = 128  # samples kept in memory, enough for four threads
_COLUMN = "frostbench_sample"


class Replay:
    """The samples of one protocol by their number; an earlier one is made again."""

    def __init__(self, make: Callable[[], Iterator[Sample]]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._held: OrderedDict[int, Sample] = OrderedDict()
        self._source, self._next = make(), 0

    def __getitem__(self, number: int) -> Sample:
        with self._lock:
            if number not in self._held and number < self._next:
                self._source, self._next = self._make(), 0
                self._held.clear()
            while number not in self._held:
                self._held[self._next] = next(self._source)
                self._next += 1
                if len(self._held) > WINDOW:
                    self._held.popitem(last=False)
            return self._held[number]


@dataclass(frozen=True)
class Served:
    """One task and protocol of ours, opened from the configuration that its document names."""

    config: RunConfig
    task: str
    protocol: str | None

    @cached_property
    def _plan(self) -> Any:
        return assemble(self.config, open_host(self.config))

    @property
    def _planned(self) -> Any:
        return next(one for one in self._plan.tasks if one.task.card.name == self.task)

    @property
    def card(self) -> TaskCard:
        """The task's card."""
        card: TaskCard = self._planned.task.card
        return card

    def samples(self) -> Iterator[Sample]:
        """All samples, in the order of a run."""
        planned = self._planned
        for sample in instances_of(planned, planned.limit, self.config.seed):
            if sample.protocol == self.protocol:
                yield sample

    @cached_property
    def replay(self) -> Replay:
        """The samples by number."""
        return Replay(self.samples)

    @cached_property
    def blobs(self) -> Blobs:
        """The folder of image features while this process scores."""
        self.__dict__["_folder"] = folder = tempfile.TemporaryDirectory(prefix="frostbench")
        return Blobs(Path(folder.name))

    @cached_property
    def _scoring(self) -> Scoring:
        return scoring_of(self._plan, self._planned, self.blobs)[0]

    @cached_property
    def _lock(self) -> threading.Lock:
        return threading.Lock()

    def score(self, said: str, instance: Instance) -> SampleScores:
        """The scores of an answer, or why it has none."""
        try:
            prediction = as_stored(prediction_in(said, instance.request))
        except (ValueError, TypeError) as error:
            return SampleScores(error=str(error))
        # lmms-eval scores in several threads, and metrics need not be thread-safe.
        with self._lock:
            return self._scoring([prediction], [target_as_stored(instance.target)])[0]


@lru_cache(maxsize=64)
def opened(config: str, task: str, protocol: str) -> Served:
    """The task and protocol of a document; those of one configuration are opened once each."""
    values: RunConfig = typed(RunConfig, json.loads(config))
    return Served(values, task, protocol or None)


def is_ours(dataset: Any) -> bool:
    """Whether a data set of lmms-eval holds samples of ours."""
    return _COLUMN in dataset.features


def posed_of(doc: Mapping[str, Any]) -> tuple[TaskCard, Posed]:
    """Our own task that a document stands for, and the request for a method of ours."""
    served = _served(doc)
    protocol = doc["protocol"] or None
    return served.card, Posed(doc[_COLUMN], protocol, partial(_request, served, doc["number"]))


def documents(stub: Any) -> Any:
    """The documents of a task, which replace the single line that names them."""
    from datasets import Dataset

    line = stub[0]
    served = _served(line)
    rows = [_row(line, number, sample) for number, sample in enumerate(served.samples())]
    return Dataset.from_list(rows)


def visuals(doc: Mapping[str, Any]) -> list[Any]:
    """The images of a document; none where it cannot be read."""
    sample = _served(doc).replay[doc["number"]]
    return [] if isinstance(sample, Unreadable) else visuals_of(sample.request)


def text(doc: Mapping[str, Any]) -> str:
    """The question of a document, for other models than ours."""
    return str(doc["question"])


def target(doc: Mapping[str, Any]) -> str:
    """The right answer, if it is a text."""
    return str(doc["target"])


def process_results(doc: Mapping[str, Any], results: Sequence[Any]) -> dict[str, Any]:
    """What a document adds to each of our metrics; nothing where its answer is invalid."""
    served = _served(doc)
    sample = served.replay[doc["number"]]
    if isinstance(sample, Unreadable):
        return {}
    scored = served.score(str(results[0]), sample)
    if scored.error is not None:
        return {UNREADABLE: 1.0}
    loaded = {
        name: tuple(served.blobs.array(one).ravel() for one in pair)
        for name, pair in scored.features.items()
    }
    values = {**scored.scores, **scored.counts, **scored.matches, **loaded}
    place = sample.request.id, sample.cluster
    return {UNREADABLE: 0.0, **{name: (*place, value) for name, value in values.items()}}


def _row(line: Mapping[str, Any], number: int, sample: Sample) -> dict[str, Any]:
    shared = {key: line[key] for key in ("config", "task", "protocol")}
    if isinstance(sample, Unreadable):
        return {**shared, "number": number, _COLUMN: sample.id, "question": "", "target": ""}
    right = sample.target
    accepted = right if isinstance(right, tuple) else (right,)
    texts = " | ".join(one for one in accepted if isinstance(one, str))
    asked = words_of(sample.request)
    return {
        **shared,
        "number": number,
        _COLUMN: sample.request.id,
        "question": asked,
        "target": texts,
    }


def _request(served: Served, number: int) -> Request:
    sample = served.replay[number]
    if isinstance(sample, Unreadable):
        raise LmmsError(sample.error)
    return sample.request


def _served(doc: Mapping[str, Any]) -> Served:
    return opened(doc["config"], doc["task"], doc["protocol"])
