"""The task `captioning`."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from frostbench.eval_suites.data.apart import Examples
from frostbench.eval_suites.understanding.layouts import Layout, Layouts, deal
from frostbench.eval_suites.understanding.settings import (
    RANDOM,
    CaptioningSettings,
    captioning_card,
)
from frostbench.plugins.contract.datasets import CaptionedImage, CaptionSet
from frostbench.plugins.contract.requests import Caption, LabelledImage
from frostbench.plugins.contract.scenes import SceneSet
from frostbench.plugins.contract.seeds import seed_of
from frostbench.plugins.contract.task import Instance, Sample, Target, Task, read_or_not


class Captioning(Task):
    """Describe a scene in a sentence, given examples with captions (as SPAE and V2L do).

    The papers show captions and score none, so this protocol is ours. Both protocols ask the
    same scenes. References are the caption in every order of its phrases.
    """

    card = captioning_card(CaptioningSettings())
    data = CaptioningSettings().data
    settings = CaptioningSettings
    asks = (SceneSet, CaptionSet)
    shortened_by = ("examples", "glyphs")

    def __init__(self, settings: CaptioningSettings) -> None:
        self._settings = settings
        self.card = captioning_card(settings)
        self.data = settings.data

    @classmethod
    def suited(cls, settings: CaptioningSettings, data: Any) -> CaptioningSettings:
        """Images that come with captions can only be asked in `random`."""
        return settings if isinstance(data, SceneSet) else replace(settings, protocols=(RANDOM,))

    def instances(self, data: Any, limit: int, seed: int) -> Iterator[Sample]:
        """At most `limit` images for each protocol, one protocol after the other."""
        if not isinstance(data, SceneSet):
            yield from self._read(data, limit, seed)
            return
        drawn = _Drawn(data, self._settings, seed)
        for protocol in self._settings.protocols:
            examples = drawn.episodic if protocol == "episodic" else drawn.pooled
            for index in range(limit):
                query = drawn.query(index)
                scene = data.of(query.names, query.places, seed, index)
                request = Caption(
                    id=f"{self.card.name}-{index:05d}",
                    image=scene.image,
                    examples=tuple(examples(query, index)),
                    seed=seed_of(seed, self.card.name, index),
                )
                references = data.captions(query.names, query.places)
                yield Instance(request, references, protocol, cluster=request.id)

    def _read(self, data: CaptionSet, limit: int, seed: int) -> Iterator[Sample]:
        """Instances from images with captions; an example shows its first caption."""
        shown: Examples[CaptionedImage] = Examples(
            data.captioned(), self._settings.pool, self._settings.examples
        )
        for index in shown.queries[:limit]:
            make = partial(self._told, shown, seed, index)
            yield read_or_not(f"{self.card.name}-{index:05d}", RANDOM, make)

    def _told(self, shown: Examples[CaptionedImage], seed: int, index: int) -> Instance:
        query = shown.samples[index]
        own = seed_of(seed, self.card.name, index)
        request = Caption(
            id=query.id,
            image=query.image,
            examples=tuple(
                LabelledImage(one.image, one.captions[0]) for one in shown.of(query, own)
            ),
            seed=own,
        )
        return Instance(request, query.captions, RANDOM, query.cluster)

    def corpus(self, data: Any, seed: int) -> Sequence[Target]:
        """The references of the first `corpus` queries, asked or not."""
        if not isinstance(data, SceneSet):
            references: Sequence[Target] = data.references()
            return references[: self._settings.corpus]
        drawn = _Drawn(data, self._settings, seed)
        queries = map(drawn.query, range(self._settings.corpus))
        return [data.captions(query.names, query.places) for query in queries]


class _Drawn:
    """Queries and examples; each depends on the seed, the settings and its number alone."""

    def __init__(self, scenes: SceneSet, settings: CaptioningSettings, seed: int) -> None:
        self._scenes, self._settings, self._seed = scenes, settings, seed
        self._layouts = Layouts(scenes)

    def query(self, index: int) -> Layout:
        """What a query shows."""
        return self._layouts.some(self._settings.glyphs, self._source("query", index))

    def episodic(self, query: Layout, index: int) -> Iterator[LabelledImage]:
        """Examples that show each class of the query once, beside other classes."""
        draw = self._source("examples", index)
        count = self._settings.examples
        sizes = [draw.randint(1, self._settings.glyphs) for _ in range(count)]
        shown = deal(query.names, draw.sample(range(count), count), count)
        own = seed_of(self._seed, "captioning example", index)
        for number, layout in enumerate(self._layouts.around(query, shown, sizes, draw)):
            yield self._described(layout, own, number)

    def pooled(self, query: Layout, index: int) -> Iterator[LabelledImage]:
        """Examples from the pool, whatever they show."""
        draw = self._source("choice", index)
        own = seed_of(self._seed, "captioning pool")
        for number in draw.sample(range(self._settings.pool), self._settings.examples):
            layout = self._layouts.some(self._settings.glyphs, self._source("pool", number))
            yield self._described(layout, own, number)

    def _described(self, layout: Layout, seed: int, number: int) -> LabelledImage:
        scene = self._scenes.of(layout.names, layout.places, seed, number)
        return LabelledImage(scene.image, scene.caption)

    def _source(self, *what: str | int) -> random.Random:
        return random.Random(seed_of(self._seed, "captioning", *what))
