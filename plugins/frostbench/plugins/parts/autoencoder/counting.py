"""What an adversarial training would cost, counted on networks without numbers."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from frostbench.plugins.backbones.perceptual import VGG16, Perceptual
from frostbench.plugins.contract.recipe import DryRun, Workshop
from frostbench.plugins.parts.autoencoder.training import (
    AdversarialTraining,
    AdversarialTrainingSettings,
    AutoencoderForward,
)
from frostbench.plugins.parts.training.counting import Phase, counted
from frostbench.plugins.parts.training.processes import Processes, cut


def counted_adversarial(
    workshop: Workshop,
    settings: AdversarialTrainingSettings,
    model: nn.Module,
    forward: AutoencoderForward,
    *,
    side: int,
    last_layer: Tensor,
    frozen: Mapping[str, nn.Module] | None = None,
    notes: tuple[str, ...] = (),
) -> DryRun:
    """A dry run of steps in which every term of the loss takes part.

    It is called in a context in which new tensors have no numbers (see `numberless`). The
    perceptual network is LPIPS's VGG16, as in the published trainings.
    """
    processes = Processes(replace(workshop, device="cpu"))
    perceptual = Perceptual(VGG16, "vgg16").eval().requires_grad_(False)
    images = cut(torch.empty(settings.batch, 3, side, side), 0, processes.parts)
    training = AdversarialTraining(
        model,
        forward,
        lambda step: images,
        settings,
        processes,
        last_layer=last_layer,
        features=lambda images: images,
        fit=lambda points: None,
        perceptual=perceptual,
    )
    last = settings.steps - 1

    def reconstruct() -> Tensor:
        loss: Tensor = training.reconstruct(images, last).loss.total
        return loss

    return counted(
        workshop,
        settings.steps,
        settings.batch,
        {
            "generator": Phase(reconstruct),
            "discriminator": Phase(lambda: training.judge(images, images)),
        },
        trained={"model": model, "discriminator": training.discriminator},
        frozen={"perceptual": perceptual, **(frozen or {})},
        averaged=settings.average > 0,
        notes=notes,
    )
