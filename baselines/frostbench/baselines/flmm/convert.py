"""Official heads of F-LMM as a folder of weights."""

from collections.abc import Mapping

import torch
from torch import Tensor

from frostbench.baselines.flmm.checkpoint import BUFFERS, PLACES, read_published
from frostbench.baselines.flmm.model import Heads, HeadSettings
from frostbench.baselines.flmm.unet import UNetSettings
from frostbench.plugins.backbones import weights
from frostbench.plugins.backbones.sam_sizes import build_sam, decoder_sizes
from frostbench.plugins.contract.converter import Conversion, Converted
from frostbench.plugins.parts.training import folder as stored

SAM = "sam."  # prefix of settings of the SAM that the heads refine with
SAM_MODEL = "sam.model."  # prefix of its tensors


def convert(conversion: Conversion) -> Converted:
    """Read the heads, and compare them with the names and shapes of F-LMM's networks.

    Whether they fit the pack's SAM is checked when they are loaded.

    Raises:
        ValueError: the file cannot be read, or holds no heads of F-LMM.
    """
    path = conversion.files["checkpoint"]
    state = read_published(path)
    of_sam = {
        key.removeprefix(SAM): value
        for key, value in conversion.settings.items()
        if key.startswith(SAM)
    }
    own = {k: value for k, value in conversion.settings.items() if not k.startswith(SAM)}
    settings = stored.override(sizes_of(state, str(path)), own, "frostbench convert flmm")
    decoder = {key.removeprefix(SAM_MODEL): tensor for key, tensor in state.items()}
    sam = stored.override(decoder_sizes(decoder, str(path)), of_sam, "frostbench convert flmm sam")
    with torch.device("meta"):  # only names and shapes are made
        heads = Heads(settings, build_sam(sam))
    wanted = dict(heads.named_parameters())
    kept = {
        name: tensor
        for name, tensor in state.items()
        if name in wanted or name == PLACES or not name.endswith(BUFFERS)
    }
    problems = weights.mismatches(wanted, {n: t for n, t in kept.items() if n != PLACES})
    if problems:
        raise ValueError(
            f"the weights of {path} are not what F-LMM trains with these sizes: "
            f"{'; '.join(problems)}. Check that the file holds the heads alone."
        )
    stored.save(conversion.out, settings, kept, conversion.precision)
    lost = len(state) - len(kept)
    return Converted(kept, (f"{lost} buffers were left out.",) if lost else ())


def sizes_of(state: Mapping[str, Tensor], source: str) -> HeadSettings:
    """The settings of heads, as far as shapes tell.

    Raises:
        ValueError: they are no heads of F-LMM.
    """
    try:
        first = state["mask_head.encoder.0.0.convs.0.conv.weight"]
        stages = [name for name in state if name.endswith("convs.1.conv.weight")]
        widths = [
            len(state[name]) for name in sorted(stages) if name.startswith("mask_head.encoder.")
        ]
        return HeadSettings(
            UNetSettings(channels=first.shape[1], widths=tuple(widths)),
            layers=len(state["text_layer_weights"]),
            width=state["text_proj.weight"].shape[1],
        )
    except KeyError as error:
        raise ValueError(f"{source} holds no heads of F-LMM: it has no tensor {error}.") from None
