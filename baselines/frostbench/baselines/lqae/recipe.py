"""The recipe that trains LQAE on a pack's images."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from frostbench.baselines.lqae.channel import Channel, codes
from frostbench.baselines.lqae.model import LQAE, LQAESettings, check_sizes
from frostbench.baselines.lqae.training import LQAETraining, LQAETrainingSettings, guessing
from frostbench.baselines.lqae.vit import ViTSettings
from frostbench.plugins.backbones.entry import BackboneEntry
from frostbench.plugins.backbones.masked_lm import MaskedLM
from frostbench.plugins.contract.recipe import Report, Workshop
from frostbench.plugins.parts.autoencoder.reconstruction import AutoencoderOutput
from frostbench.plugins.parts.autoencoder.training import figures
from frostbench.plugins.parts.training import folder as stored
from frostbench.plugins.parts.training import loop as recipe
from frostbench.plugins.parts.training.pool import Pool


@dataclass(frozen=True)
class LQAERecipe:
    """What is trained and how, for the `mini` pack.

    Training uses `pool_batches` batches of images again and again.
    """

    model: LQAESettings = field(
        default_factory=lambda: LQAESettings(
            network=ViTSettings(
                image_size=64,
                patch=8,
                width=128,
                layers=4,
                heads=4,
                inner=512,
                spread=0.05,
                branch_gain=0.1,
            ),
            ban_unreadable=True,
        )
    )
    training: LQAETrainingSettings = field(
        default_factory=lambda: LQAETrainingSettings(
            steps=3_000,
            batch=8,
            rate=2e-3,
            warmup_steps=100,
            commitment=0.1,
            mask_steps=(0, 1_600),
            lesson_steps=900,
            bfloat16=True,
        )
    )
    pool_batches: int = 1000
    validation_batches: int = 32


def train(workshop: Workshop) -> Report:
    """Train, store the model in `pack/lqae`, and measure what is stored.

    Raises:
        ValueError: the masked language model or the images are missing, or a setting is unknown.
    """
    settings = stored.override(LQAERecipe(), workshop.settings, "lqae")
    source = str(workshop.pack / "mlm")
    mlm = MaskedLM.load(BackboneEntry("mlm", "masked_lm", source), workshop.device)
    return train_on(workshop, settings, mlm)


def train_on(workshop: Workshop, settings: LQAERecipe, mlm: MaskedLM) -> Report:
    """Train with checked settings, around a loaded language model."""
    torch.manual_seed(workshop.seed)
    sizes, plan = settings.model, settings.training
    channel = whole(mlm, sizes)
    model = LQAE(sizes).to(workshop.device)
    training_images = Pool(workshop, "base", plan.batch, settings.pool_batches)
    training = LQAETraining(model, channel, training_images, plan, workshop.seed)
    progress = recipe.train(workshop, "lqae", training.parts(), training.step, plan.steps)
    stored.save_model(workshop.pack / "lqae", model)
    held_out = Pool(workshop, "validation", plan.batch, settings.validation_batches)
    batches = list(held_out)

    def unmasked(images: Tensor, noise: float | None) -> AutoencoderOutput:
        result = model((images + 1) / 2, channel, (0.0, 0.0))
        return AutoencoderOutput(result.images * 2 - 1, result.commitment, result.ids)

    measured = figures(model, unmasked, batches, channel.size)
    measured |= guessing(model, channel, batches, plan.mask_ratio)
    return progress.report({**measured, "codes": float(channel.size)}, settings)


def whole(mlm: MaskedLM, settings: LQAESettings) -> Channel:
    """The channel with all codes that the settings allow.

    Raises:
        ValueError: the language model does not fit the networks.
    """
    check_sizes(settings, mlm)
    allowed = codes(mlm, ban_special=settings.ban_special, ban_unreadable=settings.ban_unreadable)
    return Channel(mlm, allowed, settings.lm_output)
