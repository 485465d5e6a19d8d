"""Reads checkpoints that LM4LV's published code writes; none was ever published.

A flat mapping of a `torch.save`, in bf16: `adapter.*`, `deadapter.*`, `learnable_task_token`, and
with LoRA the layers of `llama_model`, named as peft 0.3 does.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from frostbench.baselines.lm4lv.model import Adapters, AdapterSettings
from frostbench.plugins.backbones import weights
from frostbench.plugins.backbones.published import read_torch

_LORA = re.compile(r"llama_model\.(base_model\.model\..*\.lora_[AB])\.default\.weight")


def load_published(
    path: Path, settings: AdapterSettings | None = None
) -> tuple[Adapters, Mapping[str, Tensor]]:
    """Adapters from a checkpoint, and the LoRA's tensors under peft's names.

    Nothing may be missing: the published code prints only what is unexpected, and a wrong prefix
    leaves its adapters random. Its first checkpoint of a training (`_ep1`) is the initialisation.

    Raises:
        ValueError: the file is missing, damaged, or holds other names or shapes.
    """
    own, lora = read_published(path)
    adapters = Adapters(settings or AdapterSettings())
    weights.fill(adapters, own, str(path))
    return adapters.eval().requires_grad_(False), lora


def read_published(path: Path) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The adapters' tensors, and the LoRA's under peft's names.

    Raises:
        ValueError: the file is missing, damaged, or holds other names.
    """
    given = read_torch(path)
    if not isinstance(given, Mapping) or not all(isinstance(t, Tensor) for t in given.values()):
        raise ValueError(f"{path} holds no mapping of tensors but {type(given).__name__}.")
    own = {name: tensor for name, tensor in given.items() if not name.startswith("llama_model.")}
    lora = {}
    for name in sorted(given.keys() - own.keys()):
        found = _LORA.fullmatch(name)
        if found is None:
            raise ValueError(f"{path} holds {name}, which is no part of a LoRA.")
        lora[f"{found.group(1)}.weight"] = given[name]
    return own, lora
