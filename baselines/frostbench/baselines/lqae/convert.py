"""LQAE's Flax parameters as a folder of weights."""

from frostbench.baselines.lqae.checkpoint import SKIPPED, read_parameters, translated
from frostbench.baselines.lqae.model import LQAE, LQAESettings
from frostbench.plugins.backbones import weights
from frostbench.plugins.contract.converter import Conversion, Converted
from frostbench.plugins.parts.training import folder as stored


def convert(conversion: Conversion) -> Converted:
    """Read parameters that were written as `.npz` or in Flax's own msgpack.

    Raises:
        ValueError: the file cannot be read, or does not fit the settings.
    """
    path = conversion.files["parameters"]
    settings = stored.override(
        LQAESettings(ban_special=False), conversion.settings, "frostbench convert lqae"
    )
    given = read_parameters(path)
    kept = translated(given)
    model = LQAE(settings)
    weights.fill(model, kept, str(path))
    stored.save(conversion.out, settings, model.state_dict(), conversion.precision)
    lost = sum(name.startswith(SKIPPED) for name in given)
    left = (f"{lost} tensors of the masked language model were left out: it is as it came.",)
    return Converted(kept, left if lost else ())
