"""What a training of V2L-Tokenizer would cost, counted on networks without numbers."""

import torch

from frostbench.plugins.backbones.clip import without_numbers
from frostbench.plugins.backbones.numberless import numberless
from frostbench.plugins.contract.recipe import DryRun, Workshop
from frostbench.plugins.parts.autoencoder.counting import counted_adversarial
from frostbench.plugins.parts.autoencoder.reconstruction import AutoencoderOutput
from frostbench.v2l.model import V2LTokenizer
from frostbench.v2l.recipe import image_features, read_settings

SIDE = 128  # pixels of the images that the published tokenizer was trained on
NOTES = (
    "CLIP is OpenAI's ViT-L/14, with its visual tower alone; the vocabularies are made once before "
    "the training, and are not counted.",
)


def plan(workshop: Workshop) -> DryRun:
    """A dry run; see `counted_adversarial`.

    Raises:
        ValueError: a setting is unknown, or the batch cannot be shared.
    """
    settings = read_settings(workshop)
    side = SIDE if workshop.published else settings.model.network.nominal_size
    with numberless():
        model, clip = V2LTokenizer(settings.model), without_numbers("ViT-L-14")

        def forward(images: torch.Tensor, noise: float | None) -> AutoencoderOutput:
            words = model.nearest_global(image_features(images, clip))
            made: AutoencoderOutput = model(images, words, noise)
            return made

        return counted_adversarial(
            workshop,
            settings.training,
            model,
            forward,
            side=side,
            last_layer=model.decoder.conv_out.weight,
            frozen={"clip": clip.model.visual},
            notes=NOTES,
        )
