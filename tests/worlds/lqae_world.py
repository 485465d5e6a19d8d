"""An LQAE that runs in milliseconds, and its training."""

from frostbench.baselines.lqae.model import LQAESettings
from frostbench.baselines.lqae.recipe import LQAERecipe
from frostbench.baselines.lqae.training import LQAETrainingSettings
from frostbench.baselines.lqae.vit import ViTSettings

NETWORK = ViTSettings(image_size=16, patch=4, width=32, layers=1, heads=2, inner=16, spread=0.2)
SIZES = LQAESettings(NETWORK)
RECIPE = LQAERecipe(
    SIZES,
    LQAETrainingSettings(
        steps=8,
        batch=2,
        rate=2e-3,
        warmup_steps=2,
        mask_steps=(1, 5),
        lesson_steps=3,
        lesson_clusters=16,
    ),
    pool_batches=4,
    validation_batches=2,
)
