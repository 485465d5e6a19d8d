"""Pairs of 16x16 images, as a workshop hands them out, and trainings of a few steps."""

import torch
from training_world import Stripes

from frostbench.baselines.lm4lv.recipe import LM4LVRecipe

TINY = LM4LVRecipe(
    corruptions=("denoising", "rotation"),
    task_tokens=2,
    each=1,
    batches=3,
    steps=5,
    own_steps=1,
    linear_batches=2,
    restored=2,
    log_every=1,
    save_every=2,
)


class Pairs:
    """Noise, and turns by a half or a quarter."""

    def variants(self, corruption):
        return {"denoising": ("",), "rotation": ("90", "180")}[corruption]

    def batch(self, corruption, split, count, seed, variant=""):
        clean = Stripes().batch(split, count, seed)
        if corruption == "rotation":
            return torch.rot90(clean, int(variant) // 90, (2, 3)), clean
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))
        return (clean + 0.2 * noise).clamp(0, 1), clean
