"""What a training of SPAE would cost, counted on networks without numbers."""

import torch

from frostbench.baselines.spae.model import SPAE
from frostbench.baselines.spae.recipe import Guide, guided, read_settings
from frostbench.plugins.backbones.clip import without_numbers
from frostbench.plugins.backbones.numberless import numberless
from frostbench.plugins.contract.recipe import DryRun, Workshop
from frostbench.plugins.parts.autoencoder.counting import counted_adversarial

NOTES = (
    "CLIP is OpenAI's ViT-L/14, since the published one is not known; of images it needs the "
    "visual tower. The language model gives the codebook once, and is not counted.",
)
CLIP_WIDTH = 768


def plan(workshop: Workshop) -> DryRun:
    """A dry run; see `counted_adversarial`.

    Raises:
        ValueError: a setting is unknown, or the batch cannot be shared.
    """
    settings = read_settings(workshop)
    with numberless():
        model, clip = SPAE(settings.model), without_numbers("ViT-L-14")
        guide = Guide(clip, torch.empty(settings.model.words, CLIP_WIDTH))
        return counted_adversarial(
            workshop,
            settings.training,
            model,
            guided(model, guide, settings.semantic),
            side=settings.model.image_size,
            last_layer=model.decoder.conv_out.weight,
            frozen={"clip": clip.model.visual},
            notes=NOTES,
        )
