"""Reads the published checkpoints of F-LMM's heads.

The official script writes a flat state dict; mmengine's files have it under "state_dict". The
frozen parts, the SAM's image encoder and the multimodal model, are not in them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from frostbench.baselines.flmm.model import Heads, HeadSettings
from frostbench.plugins.backbones import weights
from frostbench.plugins.backbones.published import read_torch, state_of

PLACES = "sam.model.prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
BUFFERS = (
    "positional_encoding_gaussian_matrix",
    "pixel_mean",
    "pixel_std",
    "position_ids",
    "inv_freq",
)
"""Endings of names of buffers, which a file may have or not."""

ALIKE = 0.02  # tolerance for buffers that were stored in bfloat16


def load_published(path: Path, settings: HeadSettings, sam: Any) -> Heads:
    """The heads of an official `.pth` file around the SAM that they were trained with.

    Everything that was trained must be there. What is left over may be buffers alone.

    Raises:
        ValueError: the file cannot be read, or does not fit the settings or the SAM.
    """
    heads = Heads(settings, sam)
    fill(heads, read_published(path), str(path))
    return heads.eval()


def read_published(path: Path) -> dict[str, Tensor]:
    """The state dict of an official file.

    Raises:
        ValueError: the file cannot be read, or holds none.
    """
    content = read_torch(path)
    flat = isinstance(content, Mapping) and "text_layer_weights" in content
    return state_of({"": content} if flat else content, ("", "state_dict"), path)


def fill(heads: Heads, state: Mapping[str, Tensor], source: str) -> None:
    """Copy what was trained into heads, strictly; `source` names the weights in errors.

    Raises:
        ValueError: a name is missing or left over, a shape is another one, or the heads were
            trained around another SAM; the heads are then unchanged.
    """
    wanted = dict(heads.named_parameters())
    given = {
        name: tensor
        for name, tensor in state.items()
        if name in wanted or not name.endswith(BUFFERS)
    }
    problems = weights.mismatches(wanted, given)
    if problems:
        raise ValueError(
            f"the weights of {source} are not what F-LMM trains with these sizes: "
            f"{'; '.join(problems)}. Check the settings, and that the file holds the heads alone."
        )
    places = heads.state_dict()[PLACES]
    theirs = state.get(PLACES)
    if theirs is not None and not _alike(theirs, places):
        raise ValueError(
            f"the weights of {source} were trained around another SAM: the code of places differs. "
            "Use the SAM that they were trained with (vit_l for the published ones)."
        )
    with torch.no_grad():
        for name, parameter in wanted.items():
            parameter.copy_(given[name])


def _alike(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape:
        return False
    return torch.allclose(one.float(), other.float().to(one.device), rtol=ALIKE, atol=ALIKE)
