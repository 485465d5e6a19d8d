"""LM4LV's checkpoints as the folder of one training, with its LoRA."""

import json
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from frostbench.baselines.lm4lv.checkpoint import read_published
from frostbench.baselines.lm4lv.model import Adapters, AdapterSettings
from frostbench.baselines.lm4lv.weights import LORA
from frostbench.plugins.backbones import weights
from frostbench.plugins.backbones.adapters import CONFIG as LORA_CONFIG
from frostbench.plugins.backbones.adapters import WEIGHTS as LORA_WEIGHTS
from frostbench.plugins.contract.converter import Conversion, Converted
from frostbench.plugins.parts.training import folder as stored

ALPHA = "64"  # alpha of the published LoRA, whose rank is 32; shapes do not tell it
TASK = "denoising"


def convert(conversion: Conversion) -> Converted:
    """Read the adapters of one training, and the LoRA that was trained beside them.

    Raises:
        ValueError: the file cannot be read, or holds something else.
    """
    path = conversion.files["checkpoint"]
    values = dict(conversion.settings)
    task, alpha = values.pop("task", TASK), values.pop("lora_alpha", ALPHA)
    own, lora = read_published(path)
    settings = stored.override(sizes_of(own, task, path), values, "frostbench convert lm4lv")
    adapters = Adapters(settings)
    weights.fill(adapters, own, str(path))
    home = conversion.out / task.replace("/", "-")
    home.mkdir()
    stored.save(home, settings, adapters.state_dict(), conversion.precision)
    notes = [
        f"The adapters are taken to undo {task!r}; task=NAME says otherwise.",
        "There is no linear map for the control no_llm, which official files do not hold: runs "
        "leave its row out.",
    ]
    if lora:
        rank = write_lora(home / LORA, lora, alpha, settings.llm_width, path)
        notes.append(f"A LoRA of rank {rank} and alpha {alpha} goes with them.")
    return Converted({**own, **lora}, (), tuple(notes))


def sizes_of(own: Mapping[str, Tensor], task: str, path: Path) -> AdapterSettings:
    """Widths and the number of task tokens.

    Raises:
        ValueError: the tensors are no adapters of LM4LV.
    """
    try:
        llm_width, width = own["adapter.weight"].shape
        tokens = own["learnable_task_token"].shape[-2]
    except (KeyError, ValueError, IndexError):
        names = ", ".join(list(own)[:4]) or "nothing"
        raise ValueError(
            f"{path} holds no adapters of LM4LV (adapter, deadapter, learnable_task_token): it has "
            f"{names}."
        ) from None
    return AdapterSettings(width, llm_width, tokens, (task,))


def write_lora(
    folder: Path, lora: Mapping[str, Tensor], alpha: str, llm_width: int, path: Path
) -> int:
    """Write a LoRA as peft does, and return its rank.

    Raises:
        ValueError: a half of a layer is missing, layers have several ranks or read another width
            than the adapters write, or `alpha` is no number.
    """
    halves = [(name, name.replace("lora_A", "lora_B")) for name in lora if "lora_A" in name]
    paired = {name for pair in halves for name in pair}
    alone = sorted(paired ^ set(lora))
    if alone:
        raise ValueError(f"{path}: a LoRA's layers have two halves each; {alone[0]} is alone.")
    shapes = {(*lora[a].shape, *lora[b].shape[1:]) for a, b in halves}
    ranks: set[int] = {shape[0] for shape in shapes} | {shape[-1] for shape in shapes}
    widths = {shape[1] for shape in shapes if len(shape) == 3}
    if len(ranks) != 1 or widths != {llm_width} or not alpha.replace(".", "", 1).isdecimal():
        raise ValueError(
            f"{path}: a LoRA has one rank, reads the width of the language model, which is "
            f"{llm_width} for these adapters, and has an alpha that is a number; its ranks are "
            f"{sorted(ranks)}, it reads {sorted(widths)}, and lora_alpha is {alpha!r}."
        )
    (rank,) = ranks
    folder.mkdir()
    weights.write(folder / LORA_WEIGHTS, lora)
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": None,
        "inference_mode": True,
        "r": rank,
        "lora_alpha": float(alpha),
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": sorted({name.split(".")[-3] for name in lora}),
    }
    (folder / LORA_CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return rank
