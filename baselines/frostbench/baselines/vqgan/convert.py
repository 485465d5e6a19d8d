"""Official VQ-GAN checkpoints as a folder of weights; sizes are read off the tensors."""

from collections.abc import Mapping

from torch import Tensor

from frostbench.baselines.vqgan.checkpoint import SKIPPED, read_published
from frostbench.baselines.vqgan.model import VQGAN, VQGANSettings
from frostbench.plugins.backbones import weights
from frostbench.plugins.backbones.published import without
from frostbench.plugins.contract.converter import Conversion, Converted
from frostbench.plugins.parts.autoencoder.sizes import network_of
from frostbench.plugins.parts.training import folder as stored


def convert(conversion: Conversion) -> Converted:
    """Read a Lightning checkpoint of the autoencoder, alone or inside a transformer's.

    Raises:
        ValueError: the file cannot be read, or is no VQ-GAN.
    """
    path = conversion.files["checkpoint"]
    state, count = read_published(path)
    kept = without(state, SKIPPED)
    settings = stored.override(
        sizes_of(kept, str(path)), conversion.settings, "frostbench convert vqgan"
    )
    model = VQGAN(settings)
    weights.fill(model, kept, str(path))
    stored.save(conversion.out, settings, model.state_dict(), conversion.precision)
    lost = count - len(kept)
    left = (f"{lost} tensors of the training were left out.",) if lost else ()
    return Converted(kept, left)


def sizes_of(state: Mapping[str, Tensor], source: str) -> VQGANSettings:
    """The settings that a state dict was trained with, as far as shapes tell.

    Raises:
        ValueError: it is none of a VQ-GAN.
    """
    try:
        gumbel = "quantize.proj.weight" in state
        table = state["quantize.embed.weight" if gumbel else "quantize.embedding.weight"]
        return VQGANSettings(
            network_of(state),
            codes=len(table),
            embed_width=table.shape[1],
            gumbel=gumbel,
        )
    except KeyError as error:
        raise ValueError(f"{source} is no VQ-GAN: it has no tensor {error}.") from None
