"""What a training of VQ-GAN would cost, counted on networks without numbers."""

from frostbench.baselines.vqgan.model import VQGAN
from frostbench.baselines.vqgan.recipe import read_settings
from frostbench.plugins.backbones.numberless import numberless
from frostbench.plugins.contract.recipe import DryRun, Workshop
from frostbench.plugins.parts.autoencoder.counting import counted_adversarial


def plan(workshop: Workshop) -> DryRun:
    """A dry run; see `counted_adversarial`.

    Raises:
        ValueError: a setting is unknown, or the batch cannot be shared.
    """
    settings = read_settings(workshop)
    with numberless():
        model = VQGAN(settings.model)
        return counted_adversarial(
            workshop,
            settings.training,
            model,
            model,
            side=settings.model.network.nominal_size,
            last_layer=model.decoder.conv_out.weight,
        )
