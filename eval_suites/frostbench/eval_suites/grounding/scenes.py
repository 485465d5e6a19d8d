"""Generated scenes for grounding, with exact expressions, narratives and questions."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, pairwise
from typing import TypeAlias

import torch

from frostbench.eval_suites.grounding.settings import HallucinationSettings, ThoughtSettings
from frostbench.plugins.contract.datasets import (
    DetailQuestion,
    Narrative,
    Referent,
    ReferredImage,
    YesNoQuestion,
)
from frostbench.plugins.contract.scenes import Placed, Scene, SceneSet
from frostbench.plugins.contract.seeds import seed_of

Names: TypeAlias = tuple[str, ...]


class ReferringScenes:
    """Scenes of several glyphs; each sentence refers to exactly one of them."""

    def __init__(self, scenes: SceneSet, most: int) -> None:
        self._scenes, self._most = scenes, most

    def referred(self, seed: int) -> Iterator[ReferredImage]:
        """Scenes of 2 to `most` glyphs in turn, without end."""
        for index in count():
            scene = self._scenes.get(seed, index, 2 + index % (self._most - 1))
            alike = Counter(self._scenes.family(one.name) for one in scene.placed)
            yield ReferredImage(
                f"{index:05d}",
                scene.image,
                tuple(
                    Referent(
                        str(number),
                        _sentences(one, alike[self._scenes.family(one.name)] == 1),
                        one.mask,
                    )
                    for number, one in enumerate(scene.placed)
                ),
            )


def _sentences(one: Placed, alone: bool) -> tuple[str, ...]:
    """Sentences with its place; its name `alone`, where nothing else looks or is called alike."""
    whole = f"the {one.name} {one.place}"
    return (whole, f"the {one.name}") if alone else (whole,)


class NarratedScenes:
    """Scenes of one to four glyphs with their captions."""

    def __init__(self, scenes: SceneSet) -> None:
        self._scenes = scenes

    def narratives(self, seed: int) -> Iterator[Narrative]:
        """Captions, without end; every phrase is one thing."""
        for index in count():
            scene = self._scenes.get(seed, index)
            yield Narrative(
                f"{index:05d}",
                scene.image,
                scene.caption,
                tuple((one.start, one.end) for one in scene.placed),
                torch.stack([one.mask for one in scene.placed]),
                (("thing", "singular"),) * len(scene.placed),
            )


@dataclass(frozen=True)
class _Statistics:
    """How many scenes of a pool show a class, and two classes together."""

    shown: Counter[str]
    together: Counter[tuple[str, str]]


class PolledScenes:
    """Scenes in which some classes are frequent, and some are seen together: POPE's questions.

    Classes have ranks and companions, drawn from the seed; see `HallucinationSettings`. A scene
    shows no two classes of one family, and no absent class that is asked for is of a family that is
    there: those look or are called alike.
    """

    def __init__(self, scenes: SceneSet, settings: HallucinationSettings) -> None:
        self._scenes, self._settings = scenes, settings

    def questions(self, protocol: str, seed: int) -> Iterator[YesNoQuestion]:
        """Yes and no in turn, each about another scene, until each scene's questions are all asked.

        So even a short run has as many scenes as questions, and as many of either answer.
        """
        pool = self._pool(seed)
        statistics = _Statistics(
            Counter(name for names in pool for name in names),
            Counter((one, two) for names in pool for one in names for two in names if one != two),
        )
        for turn in range(2 * self._settings.glyphs):
            for index, names in enumerate(pool):
                yes, number = (turn + index) % 2 == 0, turn // 2
                order = names if yes else self._absent(protocol, names, statistics, seed, index)
                name = order[number]
                answer = "yes" if yes else "no"
                yield YesNoQuestion(
                    f"{index:05d}-{number}-{answer}",
                    self._image(names, seed, index).image,
                    self._scenes.is_there(name, yes).text,
                    yes,
                    f"{index:05d}",
                )

    def _absent(
        self, protocol: str, names: Names, statistics: "_Statistics", seed: int, index: int
    ) -> Sequence[str]:
        """The absent classes that a scene is asked for."""
        absent = [name for name in self._scenes.names if not self._alike(name, names)]
        # The random order, which also decides between equally frequent classes.
        random.Random(seed_of(seed, "hallucination question", protocol, index)).shuffle(absent)
        if protocol == "popular":
            absent.sort(key=lambda name: -statistics.shown[name])
        elif protocol == "adversarial":
            together = statistics.together
            absent.sort(key=lambda name: -sum(together[name, there] for there in names))
        return self._apart(absent, len(names))

    def _pool(self, seed: int) -> list[Names]:
        """The classes of every scene of the pool."""
        draw = random.Random(seed_of(seed, "hallucination pool"))
        ranked = list(self._scenes.names)
        draw.shuffle(ranked)
        weights = [1 / rank for rank in range(1, len(ranked) + 1)]
        companions = {name: draw.sample(ranked, self._settings.companions) for name in ranked}
        pool = []
        for _ in range(self._settings.pool):
            names: list[str] = []
            while len(names) < self._settings.glyphs:
                if names and draw.random() < self._settings.together:
                    name = draw.choice(companions[names[0]])
                else:
                    (name,) = draw.choices(ranked, weights)
                if not self._alike(name, names):
                    names.append(name)
            pool.append(tuple(names))
        return pool

    def _image(self, names: Names, seed: int, index: int) -> Scene:
        draw = random.Random(seed_of(seed, "hallucination places", index))
        return self._scenes.of(names, draw.sample(self._scenes.places, len(names)), seed, index)

    def _alike(self, name: str, names: Sequence[str]) -> bool:
        """Whether a class is of the same family as one of several."""
        families = {self._scenes.family(other) for other in names}
        return self._scenes.family(name) in families

    def _apart(self, absent: Sequence[str], wanted: int) -> list[str]:
        """The first `wanted` classes, each of another family."""
        found: list[str] = []
        for name in absent:
            if len(found) < wanted and not self._alike(name, found):
                found.append(name)
        if len(found) < wanted:
            raise ValueError(
                f"{wanted} absent classes of as many families are asked for, and the split has "
                f"{len(found)}; ask for fewer `glyphs`."
            )
        return found


class DetailedScenes:
    """Large scenes of small glyphs, with a question about one of them."""

    def __init__(self, scenes: SceneSet, settings: ThoughtSettings) -> None:
        self._scenes = scenes.resized(settings.side, settings.sizes)
        self._settings = settings

    def details(self, seed: int) -> Iterator[DetailQuestion]:
        """Questions of each kind in turn, without end; the box is that of the glyph in question."""
        kinds = self._settings.kinds
        for index in count():
            draw = random.Random(seed_of(seed, "detail", index))
            names = self._names(draw)
            places = draw.sample(self._scenes.places, len(names))
            scene = self._scenes.of(names, places, seed, index)
            one = draw.choice(scene.placed)
            question = (
                self._scenes.what_is(one.place, one.name)
                if kinds[index % len(kinds)] == "what"
                else self._scenes.where_is(one.name, one.place)
            )
            yield DetailQuestion(
                f"{index:05d}",
                scene.image,
                question.text,
                question.answers,
                one.box,
                f"{index:05d}",
            )

    def _names(self, draw: random.Random) -> list[str]:
        """Classes of different families."""
        while True:
            names = draw.sample(self._scenes.names, self._settings.glyphs)
            families = sorted(map(self._scenes.family, names))
            if all(one != two for one, two in pairwise(families)):
                return names
