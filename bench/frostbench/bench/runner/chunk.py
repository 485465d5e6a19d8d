"""Runs one chunk of a task under all methods and controls: from instances to records."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from frostbench.bench.runner.free import free_predictions
from frostbench.bench.runner.frozen import ChangedError, Guarded, Watch
from frostbench.bench.runner.instances import Chunk
from frostbench.bench.runner.items import Attempt, answer, decode, translate
from frostbench.bench.runner.memory import Ledger
from frostbench.bench.runner.plan import PlannedTask
from frostbench.bench.runner.rows import Entrant, Lineup
from frostbench.bench.runner.scoring import SampleScores, Scoring
from frostbench.bench.runner.shown import Shown
from frostbench.bench.runner.tokenizing import Tokenizing
from frostbench.bench.store.blobs import Blobs
from frostbench.bench.store.records import Record, Stored, StoredCost
from frostbench.bench.store.tokens import Kept
from frostbench.bench.store.values import (
    as_stored,
    store_prediction,
)
from frostbench.plugins.contract.completions import Cost
from frostbench.plugins.contract.control import Company, Exchange
from frostbench.plugins.contract.engine import Engine
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.method import Method
from frostbench.plugins.contract.predictions import Prediction
from frostbench.plugins.contract.requests import images_of
from frostbench.plugins.contract.seeds import seed_of
from frostbench.plugins.contract.task import Instance
from frostbench.plugins.host.containment import Call, contain
from frostbench.plugins.host.errors import cut, describe, text_of


@dataclass(frozen=True)
class Built:
    """A method that is ready to run.

    `controls` are those of its card, or the reason where one cannot be made.
    """

    method: Method
    tokenizing: Tokenizing
    controls: Mapping[str, Method | str] = field(default_factory=dict)

    def answering(self, control: str | None) -> Method:
        """The method that answers in the row of a control.

        Raises:
            ValueError: the method makes the control itself, and failed to.
        """
        made = self.controls.get(control or "", self.method)
        if isinstance(made, str):
            raise ValueError(made)
        return made


@dataclass(frozen=True)
class Bench:
    """Turns chunks of one task into records; does not track what is done.

    `note` receives failures that cost no sample (words that cannot be shown).
    """

    planned: PlannedTask
    lineup: Lineup
    built: Mapping[str, Built]
    engine: Engine
    scoring: Scoring
    blobs: Blobs
    seed: int
    gallery: int
    note: Callable[[str], None]
    watch: Watch
    ledger: Ledger

    @property
    def task(self) -> str:
        """The task's name."""
        return self.planned.task.card.name

    def run(self, chunk: Chunk) -> list[Record]:
        """All records of a chunk: controls without a method first, then the rows in order.

        Raises:
            StoreFullError: blobs or tokens cannot be kept for want of room.
            ChangedError: something frozen was changed.
        """
        rows = [(row.method, row.control) for row in self.lineup.rows if row.method in self.built]
        records = self._unread(chunk, [*rows, *((None, name) for name in self.lineup.free)])
        if not chunk.instances:
            return records
        shown = self._shown(chunk)
        records += self._free(chunk, shown)
        items = {
            row: [self._item(row, instance, chunk) for instance in chunk.instances]
            for row in self.lineup.rows
            if row.method in self.built
        }
        for name, built in self.built.items():
            mine = {row: made for row, made in items.items() if row.method == name}
            with self.ledger.working(name):
                self._tokenize(built, mine, chunk)
        # Only a later call of its own code can undo a method's change, so one look after all
        # methods sees it; running them one by one shows which method it was.
        self.watch.check(tuple(self.built))
        self._answer(items)
        for row, made in items.items():
            with self.ledger.working(row.method):
                decode(made, self.task, self.ledger.energy)
            translate(made, lambda one: self._company(one, chunk), self.task)
            shown.show(row, made)
        self.watch.check(tuple(self.built))
        for row, made in items.items():
            records += self._records(row, made, shown)
        self.scoring.forget()
        self.watch.check((), thorough=True)
        return records

    def refused(self, chunk: Chunk, sentences: Mapping[str, str]) -> list[Record]:
        """Failed records of all rows of methods, each with its method's sentence."""
        shown, costs = self._shown(chunk), [Cost()] * len(chunk.instances)
        rows = [row for row in self.lineup.rows if row.method in sentences]
        records = self._unread(chunk, [(row.method, row.control) for row in rows])
        return records + [
            record
            for row in rows
            for record in self._scored(
                row.method,
                row.control,
                [None] * len(chunk.instances),
                [sentences[row.method]] * len(chunk.instances),
                costs,
                shown,
            )
        ]

    def _unread(self, chunk: Chunk, rows: Sequence[tuple[str | None, str | None]]) -> list[Record]:
        """Failed records of unreadable samples, in every row."""
        return [
            self._record(method, control, one.protocol, one.id, one.id, cut(one.error))
            for method, control in rows
            for one in chunk.unreadable
        ]

    def _record(
        self,
        method: str | None,
        control: str | None,
        protocol: str | None,
        sample: str,
        cluster: str,
        error: str | None,
        **more: Any,
    ) -> Record:
        """The record of a sample of this task in a row; it is scored where there is no error."""
        return Record(
            suite=self.planned.task.card.suite,
            task=self.task,
            protocol=protocol,
            method=method,
            control=control,
            sample=sample,
            cluster=cluster,
            status="scored" if error is None else "failed",
            error=error,
            **more,
        )

    def _shown(self, chunk: Chunk) -> Shown:
        return Shown(self.task, chunk, self.blobs, self.gallery, self.note)

    def _item(self, row: Entrant, instance: Instance, chunk: Chunk) -> Attempt:
        built, way = self.built[row.method], row.way
        item = Attempt(row, instance, instance.request, built.method)
        if way.ask is not None:
            try:
                ask = Call("control", row.control or "", "request")
                item.request = contain(ask, way.ask, instance, self._company(instance, chunk))
            except Exception as error:  # a plugin's code: its failure is a result
                item.fail("request", self.task, _reason(error))
        if way.stands_in:
            try:
                item.method = built.answering(row.control)
            except ValueError as error:
                item.fail("control", self.task, str(error))
        return item

    def _company(self, instance: Instance, chunk: Chunk) -> Company:
        seed = seed_of(self.seed, self.task, chunk.protocol or "", instance.request.id)
        return Company(chunk.phrases, seed)

    def _tokenize(self, built: Built, items: Mapping[Entrant, list[Attempt]], chunk: Chunk) -> None:
        """Give each item its tokens, and its share of their cost."""
        for row, made in items.items():
            if row.way.image is not None:
                # The image itself changes, since a method may show it to a backbone.
                others = self._donors(row.way.image, made, chunk, built.tokenizing)
                for item in made:
                    other = others.get(item.request.image, item.request.image)
                    item.request = replace(item.request, image=other)
            donors: Mapping[Image, Image] = {}
            if row.way.tokens is not None:
                donors = self._donors(row.way.tokens, made, chunk, built.tokenizing)
            sources = [_sources(item, donors) for item in made]
            kept = built.tokenizing([source for one in sources for source in one.values()])
            uses = Counter(source for one in sources for source in one.values())
            for item, own in zip(made, sources, strict=True):
                tokens = {}
                for image, source in own.items():
                    got = kept[source]
                    if isinstance(got, Kept):
                        tokens[image] = got.tokens
                        item.spend(got.cost.part(1 / uses[source]))
                    else:
                        name = source.name or source.digest[:12]
                        item.fail("tokenize", self.task, f"image {name!r}: {got}")
                item.tokens = tokens

    def _donors(
        self, exchange: Exchange, items: Sequence[Attempt], chunk: Chunk, tokenizing: Tokenizing
    ) -> Mapping[Image, Image]:
        """Which image's tokens each image gets; images without tokens give none."""
        seed = seed_of(self.seed, self.task, chunk.protocol or "", chunk.index)
        kept = tokenizing(chunk.pool)
        try:
            images = [image for image in chunk.pool if isinstance(kept[image], Kept)]
            call = Call("control", items[0].row.control or "", "exchange")
            return contain(call, exchange, images, seed)
        except Exception as error:  # a plugin's code: its failure is a result
            for item in items:
                item.fail("exchange of tokens", self.task, _reason(error))
            return {}

    def _answer(self, items: Mapping[Entrant, list[Attempt]]) -> None:
        """Methods and controls share the engine; some controls have their own."""
        guarded = Guarded(self.engine, self.watch)
        engines: dict[str | None, Engine] = {None: guarded}
        together: dict[str | None, list[Attempt]] = {None: []}
        for row, made in items.items():
            apart = None if row.way.engine is None else row.control
            engines[apart] = guarded if row.way.engine is None else row.way.engine
            together.setdefault(apart, []).extend(made)
        with self.ledger.answering(lambda: _peaks(items)):
            for apart, several in together.items():
                answer(several, engines[apart], self.task)
        if guarded.found:
            raise ChangedError(guarded.found, tuple(self.built))
        self.watch.check(tuple(self.built))

    def _free(self, chunk: Chunk, shown: Shown) -> list[Record]:
        """Records of the controls that need no method."""
        records: list[Record] = []
        task, costs = self.planned.task, [Cost()] * len(chunk.instances)
        for name, made in free_predictions(task, self.lineup.free, chunk.instances).items():
            sentences = [
                f"control {name!r}, task {self.task!r}, sample {instance.request.id!r}: {one}."
                for instance, one in zip(chunk.instances, made, strict=True)
            ]
            predictions = [None if isinstance(one, str) else one for one in made]
            records += self._scored(None, name, predictions, sentences, costs, shown)
        return records

    def _records(self, row: Entrant, items: Sequence[Attempt], shown: Shown) -> list[Record]:
        return self._scored(
            row.method,
            row.control,
            [item.prediction for item in items],
            [item.error or "" for item in items],
            [item.cost for item in items],
            shown,
            words=shown.words.get(row),
        )

    def _scored(
        self,
        method: str | None,
        control: str | None,
        predictions: Sequence[Prediction | None],
        errors: Sequence[str],
        costs: Sequence[Cost],
        shown: Shown,
        words: Sequence[Mapping[str, Sequence[Sequence[str]]]] | None = None,
    ) -> list[Record]:
        """Score the predictions, and store the records."""
        finals = {i: as_stored(one) for i, one in enumerate(predictions) if one is not None}
        scored = dict(
            zip(
                finals,
                self.scoring(list(finals.values()), [shown.targets[i] for i in finals]),
                strict=True,
            )
        )
        records = []
        for index, instance in enumerate(shown.chunk.instances):
            sample = instance.request.id
            result = scored.get(index) or SampleScores(
                error=errors[index] or "no prediction was made."
            )
            error = result.error
            if index in scored and error is not None:
                who = f"method {method!r}" if method else f"control {control!r}"
                error = f"{who}, scoring, task {self.task!r}, sample {sample!r}: {error}."
            final = finals.get(index)
            records.append(
                self._record(
                    method,
                    control,
                    instance.protocol,
                    sample,
                    instance.cluster,
                    error,
                    prediction=(
                        Stored("none") if final is None else store_prediction(final, self.blobs)
                    ),
                    target=shown.stored[index],
                    scores=result.scores,
                    features=result.features,
                    counts=result.counts,
                    matches=result.matches,
                    cost=StoredCost(**asdict(costs[index])),
                    pictures=shown.pictures[index],
                    words=words[index] if words is not None else {},
                    asked=shown.asked[index][0],
                    phrases=shown.asked[index][1],
                )
            )
        return records


def _peaks(items: Mapping[Entrant, Sequence[Attempt]]) -> dict[str, int]:
    """By method, the most memory held while the engine answered its prompts."""
    most: dict[str, int] = {}
    for row, made in items.items():
        peaks = [item.cost.peak_bytes or 0 for item in made]
        most[row.method] = max(most.get(row.method, 0), *peaks)
    return most


def _reason(error: Exception) -> str:
    """Why a control cannot be made: a `ValueError` says it in a sentence."""
    return text_of(error) if isinstance(error, ValueError) else describe(error)


def _sources(item: Attempt, donors: Mapping[Image, Image]) -> dict[Image, Image]:
    """For each image of an item, the image whose tokens it gets: its own, or a donor's."""
    return {image: donors.get(image, image) for image in images_of(item.request)}
