"""Training scenes with phrases and exact masks, as `GroundedScenes` of the recipes."""

import random
from collections import Counter
from pathlib import Path

import torch

from frostbench.packs.mini.scenes.scenes import Scenes
from frostbench.packs.mini.scenes.training_images import checked, to_tensor
from frostbench.packs.mini.scenes.wording import caption_of
from frostbench.plugins.contract.recipe import GroundedScene, Workshop
from frostbench.plugins.contract.seeds import seed_of


class TrainingScenes:
    """Scenes of a data folder, of glyphs and photographs of the asked split alone."""

    def __init__(self, folder: Path) -> None:
        self._scenes = Scenes(folder)

    def batch(self, split: str, count: int, seed: int) -> list[GroundedScene]:
        """`count` scenes: a caption with its phrases in any order, and as many expressions.

        An expression names its glyph's place, unless a name that is there once stands alone, which
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
        alike = Counter(scene.names)
        expressions = [
            f"the {glyph.name}"
            if alike[glyph.name] == 1 and draw.random() < 0.5
            else f"the {glyph.name} {glyph.place}"
            for glyph in placed
        ]
        masks = torch.stack([glyph.mask for glyph in placed])
        return GroundedScene(to_tensor(scene.pixels), text, spans, tuple(expressions), masks)


def of_workshop(workshop: Workshop) -> TrainingScenes:
    """The scenes of the pack in the making."""
    return TrainingScenes(workshop.pack / "data")
