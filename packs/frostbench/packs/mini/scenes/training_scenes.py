"""Training scenes with exact masks, as `GroundedScenes` and `NamedScenes` of the recipes."""

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch

from frostbench.packs.mini.scenes.scenes import Composition, Scenes
from frostbench.packs.mini.scenes.training_images import checked, to_tensor
from frostbench.packs.mini.scenes.wording import caption_of
from frostbench.plugins.contract.recipe import GroundedScene, NamedScene, Workshop
from frostbench.plugins.contract.scenes import Placed
from frostbench.plugins.contract.seeds import seed_of


class TrainingScenes:
    """Scenes of a data folder, of glyphs and photographs of the asked split alone."""

    def __init__(self, folder: Path) -> None:
        self._scenes = Scenes(folder)

    def batch(self, split: str, count: int, seed: int) -> list[GroundedScene]:
        """`count` scenes: a caption with its phrases in any order, and as many expressions.

        An expression names its glyph's place; where the name alone is enough, one of the two forms
        is drawn evenly. The same arguments give the same scenes.

        Raises:
            LookupError: there is no such split.
        """
        return [self._scene(split, seed, index) for index in range(count)]

    def _scene(self, split: str, seed: int, index: int) -> GroundedScene:
        scene = self._scenes.scene(checked(split), seed, index)
        draw = random.Random(seed_of("grounded scene", split, seed, index))
        placed = draw.sample(scene.placed, len(scene.placed))
        text, spans = caption_of([glyph.name for glyph in placed], [g.place for g in placed])
        expressions = _expressions(scene, placed, draw)
        masks = torch.stack([glyph.mask for glyph in placed])
        return GroundedScene(to_tensor(scene.pixels), text, spans, expressions, masks)


class TrainingBoxes:
    """Scenes of a data folder in which everything has a name, a box and a mask."""

    def __init__(self, folder: Path) -> None:
        self._scenes = Scenes(folder)

    def names(self, split: str) -> tuple[str, ...]:
        """The classes of a split.

        Raises:
            LookupError: there is no such split.
        """
        return self._scenes.glyphs.names(checked(split))

    def batch(self, split: str, count: int, seed: int) -> list[NamedScene]:
        """`count` scenes, each with caption and questions; expressions as in `TrainingScenes`.

        Raises:
            LookupError: there is no such split.
        """
        return [self._scene(split, seed, index) for index in range(count)]

    def _scene(self, split: str, seed: int, index: int) -> NamedScene:
        scene = self._scenes.scene(checked(split), seed, index)
        draw = random.Random(seed_of("boxed scene", split, seed, index))
        return NamedScene(
            to_tensor(scene.pixels),
            scene.names,
            torch.tensor([glyph.box for glyph in scene.placed]),
            torch.stack([glyph.mask for glyph in scene.placed]),
            _expressions(scene, scene.placed, draw),
            scene.caption,
            tuple((question.text, question.answers) for question in scene.questions),
        )


def _expressions(
    scene: Composition, placed: Sequence[Placed], draw: random.Random
) -> tuple[str, ...]:
    """For each glyph an expression: its name alone where that is enough, or with its place."""
    alike = Counter(scene.names)
    return tuple(
        f"the {glyph.name}"
        if alike[glyph.name] == 1 and draw.random() < 0.5
        else f"the {glyph.name} {glyph.place}"
        for glyph in placed
    )


def of_workshop(workshop: Workshop) -> TrainingScenes:
    """The scenes of the pack in the making."""
    return TrainingScenes(workshop.pack / "data")


def boxed_of_workshop(workshop: Workshop) -> TrainingBoxes:
    """The scenes of the pack in the making, with names and boxes."""
    return TrainingBoxes(workshop.pack / "data")
