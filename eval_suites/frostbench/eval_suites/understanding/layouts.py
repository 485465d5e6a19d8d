"""Layouts: which classes appear where in the generated scenes of one request."""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from frostbench.plugins.contract.scenes import SceneSet


@dataclass(frozen=True)
class Layout:
    """Classes and where each of them stands; no class and no place occurs twice."""

    names: tuple[str, ...]
    places: tuple[str, ...]

    def place_of(self, name: str) -> str:
        """Where a class stands."""
        return self.places[self.names.index(name)]


class Layouts:
    """Draws layouts; what is drawn depends on the generator alone.

    Classes of one request are of different families, so that they can be told apart by their looks.
    Places are drawn uniformly, so that none can be guessed.
    """

    def __init__(self, source: SceneSet) -> None:
        self._source = source
        self._members: dict[int, list[str]] = {}
        for name in sorted(source.names):
            self._members.setdefault(source.family(name), []).append(name)

    def classes(
        self, count: int, draw: random.Random, beside: Collection[str] = ()
    ) -> tuple[str, ...]:
        """`count` classes of different families, which no class in `beside` has.

        Raises:
            ValueError: there are too few families.
        """
        taken = {self._source.family(name) for name in beside}
        families = sorted(set(self._members) - taken)
        if len(families) < count:
            raise ValueError(
                f"the scenes of one request need {count + len(taken)} families of classes; there "
                f"are {len(self._members)}. Ask for fewer `examples` or `glyphs`."
            )
        return tuple(draw.choice(self._members[family]) for family in draw.sample(families, count))

    def some(self, most: int, draw: random.Random) -> Layout:
        """1 to `most` classes, each number as often as the others, at random places."""
        return self.place(self.classes(draw.randint(1, most), draw), draw)

    def place(
        self, names: Sequence[str], draw: random.Random, avoid: Mapping[str, str] | None = None
    ) -> Layout:
        """The classes at random places, none at a place that `avoid` forbids it."""
        barred = avoid or {}
        while True:
            places = draw.sample(self._source.places, len(names))
            if all(barred.get(name) != where for name, where in zip(names, places, strict=True)):
                return Layout(tuple(names), tuple(places))

    def around(
        self,
        query: Layout,
        shown: Sequence[Sequence[str]],
        sizes: Sequence[int],
        draw: random.Random,
        anywhere: Collection[str] = (),
    ) -> list[Layout]:
        """Layouts of examples: each shows its required classes, and others up to its size.

        Classes of the query stand at other places than in the query, except those that may stand
        `anywhere`. The others are of families of their own, each in one example alone.

        Raises:
            ValueError: there are not enough families.
        """
        missing = [max(0, size - len(names)) for names, size in zip(shown, sizes, strict=True)]
        known = {*query.names, *(name for names in shown for name in names)}
        others = iter(self.classes(sum(missing), draw, known))
        avoid = {name: query.place_of(name) for name in query.names if name not in anywhere}
        layouts = []
        for names, count in zip(shown, missing, strict=True):
            whole = [*names, *(next(others) for _ in range(count))]
            draw.shuffle(whole)
            layouts.append(self.place(whole, draw, avoid))
        return layouts


def deal(names: Sequence[str], among: Sequence[int], examples: int) -> list[list[str]]:
    """What each of the examples must show, with the names dealt in turn to those in `among`.

    >>> deal(["owl", "cat", "bee"], [2, 0], 3)
    [['cat'], [], ['owl', 'bee']]
    """
    shown: list[list[str]] = [[] for _ in range(examples)]
    for index, name in enumerate(names):
        shown[among[index % len(among)]].append(name)
    return shown
