"""Reads weights of Deformable DETR in transformers' layout (`SenseTime/deformable-detr`).

VisionLLM starts from them; no weights of VisionLLM itself were ever published.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from frostbench.baselines.visionllm.model import VisionLLM
from frostbench.plugins.backbones import weights


@dataclass(frozen=True)
class DetrFit:
    """Which of a checkpoint's tensors were used.

    Attributes:
        taken: Names of the model's tensors that were filled.
        other_shape: Names in the checkpoint that have another shape here, such as its 300 queries.
        unknown: Names in the checkpoint without a place here, such as its heads of classes.
        left: Names of the model's tensors that stayed as they were.
    """

    taken: tuple[str, ...]
    other_shape: tuple[str, ...]
    unknown: tuple[str, ...]
    left: tuple[str, ...]


def load_detr(model: VisionLLM, path: Path) -> DetrFit:
    """Fill the tokenizer with a checkpoint where it fits, and list the rest.

    Raises:
        ValueError: the file is missing or damaged, or nothing in it fits.
    """
    return take_detr(model, weights.read(path), str(path))


def take_detr(model: VisionLLM, tensors: Mapping[str, Tensor], source: str) -> DetrFit:
    """Fill the tokenizer with the state of a `DeformableDetrForObjectDetection` where it fits.

    Raises:
        ValueError: nothing fits.
    """
    own = model.state_dict()
    fitting: dict[str, Tensor] = {}
    other_shape, unknown = [], []
    for name, tensor in tensors.items():
        home = _home(name)
        if home not in own:
            unknown.append(name)
        elif own[home].shape != tensor.shape:
            other_shape.append(name)
        else:
            fitting[home] = tensor
    if not fitting:
        raise ValueError(
            f"nothing in {source} fits: its names begin like {next(iter(tensors), 'none')!r}, and "
            "those of a Deformable DETR of transformers are wanted ('model.encoder...')."
        )
    model.load_state_dict(fitting, strict=False)
    left = tuple(name for name in own if name not in fitting)
    return DetrFit(tuple(fitting), tuple(other_shape), tuple(unknown), left)


def _home(name: str) -> str:
    """Where a tensor of Deformable DETR stands in a VisionLLM."""
    name = name.removeprefix("model.")
    if name.removeprefix("decoder.").startswith("bbox_embed."):
        # Its layers are numbered in order, ours with the activations counted too.
        within = name.removeprefix("decoder.").removeprefix("bbox_embed.")
        layer, number, rest = within.replace("layers.", "").split(".", 2)
        return f"tokenizer.boxes.{layer}.{2 * int(number)}.{rest}"
    return f"tokenizer.detr.{name}"
