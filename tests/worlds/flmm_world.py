"""Squares on plain ground, with phrases and masks, and a training of F-LMM of a few steps."""

import torch

from frostbench.baselines.flmm.prompts import ChatWording
from frostbench.baselines.flmm.recipe import FLMMRecipe
from frostbench.baselines.flmm.training import HeadTrainingSettings
from frostbench.plugins.contract.recipe import GroundedScene

WORDING = ChatWording(behind=" ", describe="Describe.", blanks="word", lead=" ")
RECIPE = FLMMRecipe(
    widths=(4, 8),
    side=8,
    wording=WORDING,
    training=HeadTrainingSettings(steps=6, images=2, rate=1e-2, warm_up=0.2),
    scenes=4,
    validation_scenes=2,
)


class Squares:
    """Scenes of two squares, 16 pixels wide and 12 or 16 high, as a pack's scenes are asked for."""

    def batch(self, split, count, seed):
        return [self.scene(split, seed, index) for index in range(count)]

    def scene(self, split, seed, index):
        draw = torch.Generator().manual_seed(seed * 100 + index * 3 + (split == "base"))
        height = 12 if index % 3 == 2 else 16
        masks = torch.zeros(2, height, 16, dtype=torch.bool)
        for mask, left in zip(masks, (0, 8), strict=True):
            top = int(torch.randint(0, height - 6, (1,), generator=draw))
            mask[top : top + 6, left + 1 : left + 7] = True
        colours = torch.rand(2, 3, 1, 1, generator=draw)
        pixels = (colours * masks[:, None]).sum(0)
        narrative = "a red dog and the cat."
        return GroundedScene(pixels, narrative, ((0, 9), (14, 21)), ("a dog", "the cat"), masks)
