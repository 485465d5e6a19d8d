"""Generated scenes for detection: things of the asked classes, and some of other classes."""

import random
import sys
from collections.abc import Sequence
from typing import Any

from frostbench.eval_suites.detection.settings import DetectionSettings
from frostbench.plugins.contract.datasets import BoxedImage, Thing
from frostbench.plugins.contract.scenes import SceneSet
from frostbench.plugins.contract.seeds import seed_of


class BoxedScenes(Sequence[Any]):
    """Scenes of 1 to `things` things, without end; see `DetectionSettings`.

    Attributes:
        classes: Classes of the set, in the order of their names, no two of one family. The other
            things of a scene are of other families too: they look different and have different
            names.

    Raises:
        ValueError: the scenes have fewer families of classes than the set is to have.
    """

    def __init__(self, scenes: SceneSet, settings: DetectionSettings, seed: int) -> None:
        self._scenes, self._settings, self._seed = scenes, settings, seed
        names = list(scenes.names)
        random.Random(seed_of(seed, "detected classes")).shuffle(names)
        by_family: dict[int, str] = {}
        for name in names:
            by_family.setdefault(scenes.family(name), name)
        if len(by_family) < settings.classes:
            raise ValueError(
                f"{settings.classes} classes of as many families are asked for, and the data set "
                f"has {len(by_family)} families; ask for fewer `classes`."
            )
        chosen = list(by_family.items())[: settings.classes]
        self.classes = tuple(sorted(name for _, name in chosen))
        ours = {family for family, _ in chosen}
        self._others = [name for name in scenes.names if scenes.family(name) not in ours]

    def __len__(self) -> int:
        return sys.maxsize

    def __getitem__(self, index: Any) -> Any:
        draw = random.Random(seed_of(self._seed, "detected scene", index))
        count = 1 + index % self._settings.things
        names = [self._name(draw) for _ in range(count)]
        places = draw.sample(self._scenes.places, count)
        scene = self._scenes.of(names, places, self._seed, index)
        things = tuple(
            Thing(one.name, one.box, float(one.mask.sum()), one.mask) for one in scene.placed
        )
        return BoxedImage(f"{index:05d}", scene.image, things, f"{index:05d}")

    def _name(self, draw: random.Random) -> str:
        outside = self._others and draw.random() < self._settings.outside
        return draw.choice(self._others if outside else self.classes)
