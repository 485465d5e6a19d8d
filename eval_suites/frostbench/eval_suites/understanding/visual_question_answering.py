"""The task `visual_question_answering`."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import mode
from typing import Any

from frostbench.eval_suites.data.apart import Examples
from frostbench.eval_suites.understanding.layouts import Layout, Layouts, deal
from frostbench.eval_suites.understanding.settings import (
    RANDOM,
    QuestionSettings,
    question_card,
)
from frostbench.plugins.contract.datasets import AskedImage, QuestionSet
from frostbench.plugins.contract.requests import Answer, LabelledImage
from frostbench.plugins.contract.scenes import Question, SceneSet
from frostbench.plugins.contract.seeds import seed_of
from frostbench.plugins.contract.task import Instance, Sample, Task, read_or_not


class VisualQuestionAnswering(Task):
    """Answer a question about a scene, given other questions with their answers.

    The papers show answers and score none, so this protocol is ours. Kinds of questions take turns,
    and within a kind every answer is equally likely, so that a prior helps little. Both protocols
    ask the same questions; in "episodic" the examples are of the query's kind.
    """

    card = question_card(QuestionSettings())
    data = QuestionSettings().data
    settings = QuestionSettings
    asks = (SceneSet, QuestionSet)
    shortened_by = ("examples",)

    def __init__(self, settings: QuestionSettings) -> None:
        self._settings = settings
        self.card = question_card(settings)
        self.data = settings.data

    @classmethod
    def suited(cls, settings: QuestionSettings, data: Any) -> QuestionSettings:
        """Questions that somebody wrote can only be asked in `random`."""
        return settings if isinstance(data, SceneSet) else replace(settings, protocols=(RANDOM,))

    def instances(self, data: Any, limit: int, seed: int) -> Iterator[Sample]:
        """At most `limit` questions for each protocol, one protocol after the other.

        The target holds the accepted answers as alternatives ("on the left" and "left").
        """
        if not isinstance(data, SceneSet):
            yield from self._read(data, limit, seed)
            return
        drawn = _Drawn(data, self._settings, seed)
        for protocol in self._settings.protocols:
            examples = drawn.episodic if protocol == "episodic" else drawn.pooled
            for index in range(limit):
                query = drawn.query(index)
                scene = data.of(query.layout.names, query.layout.places, seed, index)
                request = Answer(
                    id=f"{self.card.name}-{index:05d}",
                    image=scene.image,
                    question=query.question.text,
                    examples=tuple(examples(query, index)),
                    seed=seed_of(seed, self.card.name, index),
                )
                yield Instance(request, query.question.answers, protocol, cluster=request.id)

    def _read(self, data: QuestionSet, limit: int, seed: int) -> Iterator[Sample]:
        """Instances from written questions; an example shows its most frequent answer."""
        shown: Examples[AskedImage] = Examples(
            data.asked(), self._settings.pool, self._settings.examples
        )
        for index in shown.queries[:limit]:
            make = partial(self._told, shown, seed, index)
            yield read_or_not(f"{self.card.name}-{index:05d}", RANDOM, make)

    def _told(self, shown: Examples[AskedImage], seed: int, index: int) -> Instance:
        query = shown.samples[index]
        own = seed_of(seed, self.card.name, index)
        request = Answer(
            id=query.id,
            image=query.image,
            question=query.question,
            examples=tuple(
                LabelledImage(one.image, mode(one.answers), one.question)
                for one in shown.of(query, own)
            ),
            seed=own,
        )
        return Instance(request, query.answers, RANDOM, query.cluster)


@dataclass(frozen=True)
class Asked:
    """A scene and a question about it; `about` is the class in the question or in its answer."""

    layout: Layout
    question: Question
    about: str | None = None


class _Drawn:
    """Queries and examples; each depends on the seed, the settings and its number alone."""

    def __init__(self, scenes: SceneSet, settings: QuestionSettings, seed: int) -> None:
        self._scenes, self._settings, self._seed = scenes, settings, seed
        self._layouts = Layouts(scenes)

    def query(self, index: int) -> Asked:
        """What a query shows and asks."""
        return self._any(self._source("query", index), index)

    def episodic(self, query: Asked, index: int) -> Iterator[LabelledImage]:
        """Examples of the query's kind, among them all classes of the query."""
        draw = self._source("examples", index)
        match query.question.kind:
            case "whether":
                examples = self._whether(query, draw)
            case "how many":
                examples = self._how_many(query, draw)
            case _:
                examples = self._about_one(query, draw)
        own = seed_of(self._seed, "question example", index)
        for number, example in enumerate(examples):
            yield self._answered(example, own, number)

    def pooled(self, query: Asked, index: int) -> Iterator[LabelledImage]:
        """Examples of any kind from the pool, whatever they show."""
        draw = self._source("choice", index)
        own = seed_of(self._seed, "question pool")
        for number in draw.sample(range(self._settings.pool), self._settings.examples):
            yield self._answered(self._any(self._source("pool", number), number), own, number)

    def _any(self, draw: random.Random, number: int) -> Asked:
        """A scene and a question of the kind whose turn it is."""
        kind = self._settings.kinds[number % len(self._settings.kinds)]
        if kind == "how many":
            layout = self._layouts.some(self._settings.counted, draw)
            return Asked(layout, self._scenes.how_many(len(layout.names)))
        layout = self._layouts.some(self._settings.glyphs, draw)
        name = draw.choice(layout.names)
        if kind != "whether":
            return self._about(kind, layout, name)
        there = draw.random() < 0.5
        asked = name if there else self._layouts.classes(1, draw, layout.names)[0]
        return Asked(layout, self._scenes.is_there(asked, there), asked)

    def _about_one(self, query: Asked, draw: random.Random) -> list[Asked]:
        """For "what" and "where": the class in question is asked about in one of the examples.

        So are the other classes of the query, as far as there are examples. For "where" the class
        may stand at the same place: if it always stood at another, that example's answer would be
        wrong more often than a guess.
        """
        assert query.about is not None
        order = [query.about, *(name for name in query.layout.names if name != query.about)]
        shown = deal(order, self._order(draw), self._settings.examples)
        kind = query.question.kind
        free = (query.about,) if kind == "where" else ()
        layouts = self._layouts.around(query.layout, shown, self._sizes(draw), draw, free)
        return [
            self._about(kind, layout, must[0] if must else draw.choice(layout.names))
            for layout, must in zip(layouts, shown, strict=True)
        ]

    def _whether(self, query: Asked, draw: random.Random) -> list[Asked]:
        """For "whether": the very same question; "yes" is right in half of the examples.

        What the query shows beside the class in question stands in an example of any answer, or,
        where the class is not there, in one that is answered by "no".
        """
        about = query.about
        assert about is not None
        order = self._order(draw)
        yes = len(order) // 2 + (len(order) % 2 and draw.randrange(2))
        there = about in query.layout.names
        beside = [name for name in query.layout.names if name != about]
        shown = deal(beside, order if there else order[yes:], len(order))
        for example in order[:yes]:
            shown[example].insert(0, about)
        layouts = self._layouts.around(query.layout, shown, self._sizes(draw), draw)
        return [
            Asked(layout, self._scenes.is_there(about, about in layout.names), about)
            for layout in layouts
        ]

    def _how_many(self, query: Asked, draw: random.Random) -> list[Asked]:
        """For "how many": the very same question, each answer equally often."""
        order, first = self._order(draw), draw.randrange(self._settings.counted)
        sizes = [0] * len(order)
        for turn, example in enumerate(order):
            sizes[example] = 1 + (first + turn) % self._settings.counted
        shown = deal(query.layout.names, order, len(order))
        layouts = self._layouts.around(query.layout, shown, sizes, draw)
        return [Asked(layout, self._scenes.how_many(len(layout.names))) for layout in layouts]

    def _about(self, kind: str, layout: Layout, name: str) -> Asked:
        where, scenes = layout.place_of(name), self._scenes
        question = scenes.what_is(where, name) if kind == "what" else scenes.where_is(name, where)
        return Asked(layout, question, name)

    def _order(self, draw: random.Random) -> list[int]:
        """The numbers of the examples, shuffled."""
        return draw.sample(range(self._settings.examples), self._settings.examples)

    def _sizes(self, draw: random.Random) -> Sequence[int]:
        return [draw.randint(1, self._settings.glyphs) for _ in range(self._settings.examples)]

    def _answered(self, asked: Asked, seed: int, number: int) -> LabelledImage:
        scene = self._scenes.of(asked.layout.names, asked.layout.places, seed, number)
        return LabelledImage(scene.image, asked.question.answers[0], asked.question.text)

    def _source(self, *what: str | int) -> random.Random:
        return random.Random(seed_of(self._seed, "question", *what))
