"""LQAE's Flax parameters as a folder of weights; sizes are read off the tensors."""

from collections.abc import Mapping

from torch import Tensor

from frostbench.baselines.lqae.checkpoint import SKIPPED, read_parameters, translated
from frostbench.baselines.lqae.model import LQAE, LQAESettings
from frostbench.plugins.backbones import weights
from frostbench.plugins.contract.converter import Conversion, Converted
from frostbench.plugins.parts.training import folder as stored

LARGE = 24  # layers


def convert(conversion: Conversion) -> Converted:
    """Read parameters that were written as `.npz` or in Flax's own msgpack.

    Raises:
        ValueError: the file cannot be read, or does not fit the settings.
    """
    path = conversion.files["parameters"]
    given = read_parameters(path)
    kept = translated(given)
    told = {f"network.{name}": str(size) for name, size in sizes_of(kept, str(path)).items()}
    settings = stored.override(
        LQAESettings(ban_special=False), {**told, **conversion.settings}, "frostbench convert lqae"
    )
    model = LQAE(settings)
    weights.fill(model, kept, str(path))
    stored.save(conversion.out, settings, model.state_dict(), conversion.precision)
    lost = sum(name.startswith(SKIPPED) for name in given)
    left = (f"{lost} tensors of the masked language model were left out: it is as it came.",)
    return Converted(kept, left if lost else ())


def sizes_of(state: Mapping[str, Tensor], source: str) -> dict[str, int]:
    """The sizes of both networks, as far as shapes tell.

    Shapes do not tell the heads: 12 in the published "base", 16 in "large", which has 24 layers.

    Raises:
        ValueError: it is none of an LQAE.
    """
    try:
        side, _, width = state["encoder.positions"].shape
        patch = state["encoder.patches.weight"].shape[-1]
        prefix = "encoder.blocks."
        layers = len({name.split(".")[2] for name in state if name.startswith(prefix)})
        inner = len(state[f"{prefix}0.feed_forward.up.weight"])
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"{source} is no LQAE: {error!r} is not as its networks have it."
        ) from None
    return {
        "image_size": side * patch,
        "patch": patch,
        "width": width,
        "layers": layers,
        "heads": 16 if layers == LARGE else 12,
        "inner": inner,
    }
