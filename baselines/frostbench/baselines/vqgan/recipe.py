"""The recipe that trains VQ-GAN on a pack's images."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from frostbench.baselines.vqgan.model import VQGAN, VQGANSettings
from frostbench.plugins.contract.recipe import Report, Workshop
from frostbench.plugins.parts.autoencoder.clusters import cluster
from frostbench.plugins.parts.autoencoder.losses import LossSettings, PerceptualDistance
from frostbench.plugins.parts.autoencoder.settings import SMALL, DiscriminatorSettings
from frostbench.plugins.parts.autoencoder.training import (
    AdversarialTraining,
    AdversarialTrainingSettings,
    figures,
    perceptual_network,
)
from frostbench.plugins.parts.training import folder as stored
from frostbench.plugins.parts.training import loop as recipe
from frostbench.plugins.parts.training.pool import Pool
from frostbench.plugins.parts.training.processes import Processes

ROUNDS = 10  # of k-means


@dataclass(frozen=True)
class VQGANRecipe:
    """What is trained and how, for the `mini` pack.

    Training uses `pool_batches` batches of images again and again.
    """

    model: VQGANSettings = field(
        default_factory=lambda: VQGANSettings(
            network=SMALL,
            codes=1024,
            embed_width=32,
            legacy_beta=False,
        )
    )
    training: AdversarialTrainingSettings = field(
        default_factory=lambda: AdversarialTrainingSettings(
            steps=6_000,
            batch=8,
            rate=1e-3,
            warmup_steps=100,
            cosine=True,
            loss=LossSettings(
                codebook_weight=0.3,
                perceptual_weight=0.1,
                perceptual_start=4_000,
                adversarial_weight=0.1,
                adversarial_start=5_000,
            ),
            discriminator=DiscriminatorSettings(layers=2, channels=16),
            pass_through=True,
            noisy_steps=300,
            noise=1.0,
            power_weight=0.003,
            fit_steps=(300, 400, 500, 600, 800, 1000, 1250, 1500, 1750, 2000, 2500, 3000, 3500),
            bfloat16=True,
        )
    )
    pool_batches: int = 1500
    validation_batches: int = 32


PUBLISHED = VQGANRecipe(
    model=VQGANSettings(),
    training=AdversarialTrainingSettings(
        steps=1_067_640,  # ours: 10 epochs of ImageNet; the published length is not known
        batch=12,
        rate=12 * 4.5e-6,  # images in a batch times the base rate, on one device
    ),
)


def train(workshop: Workshop) -> Report:
    """Train, store the model in `pack/vqgan`, and measure what is stored.

    Raises:
        ValueError: the workshop has no images, or a setting is unknown.
    """
    settings = read_settings(workshop)
    perceptual = perceptual_network(workshop, settings.training.loss)
    return train_on(workshop, settings, perceptual)


def read_settings(workshop: Workshop) -> VQGANRecipe:
    """The settings of a training.

    Raises:
        ValueError: a setting is unknown.
    """
    default = PUBLISHED if workshop.published else VQGANRecipe()
    return stored.override(default, workshop.settings, "vqgan")


def train_on(
    workshop: Workshop, settings: VQGANRecipe, perceptual: PerceptualDistance | None
) -> Report:
    """Train with checked settings and a loaded perceptual network."""
    torch.manual_seed(workshop.seed)
    model = VQGAN(settings.model).to(workshop.device)
    plan, processes = settings.training, Processes(workshop)
    training = AdversarialTraining(
        model,
        model,
        Pool(workshop, "base", plan.batch, settings.pool_batches),
        plan,
        processes,
        last_layer=model.decoder.conv_out.weight,
        features=model.features,
        fit=lambda points: fit_codebook(model, points, workshop.seed),
        perceptual=perceptual,
    )
    progress = recipe.train(
        workshop, "vqgan", training.parts(), training.step, plan.steps, processes
    )
    if processes.rank:
        return progress.report({}, settings)  # the first process stores and measures
    stored.save_model(workshop.folder("vqgan"), model)
    held_out = Pool(workshop, "validation", plan.batch, settings.validation_batches)
    return progress.report(figures(model, model, held_out, settings.model.codes), settings)


def fit_codebook(model: VQGAN, points: Tensor, seed: int) -> None:
    """Move the codes to the centres of features."""
    weight = model.codebook
    weight.data.copy_(cluster(points, len(weight), ROUNDS, seed))
