"""The network that reads LM4LV's prompt in a training: the language model, or it under a LoRA."""

from pathlib import Path
from typing import Any

from torch import nn

from frostbench.baselines.lm4lv.weights import LORA
from frostbench.plugins.backbones.adapters import LoraSettings, new_adapter, stored_adapter
from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.contract.prompts import Adapter


def reader_of(
    lm: CausalLM, lora: LoraSettings | None, start: Path | None
) -> tuple[CausalLM, list[nn.Parameter], Any]:
    """The network, its trained parameters, and its LoRA or None.

    A LoRA is new, or that in the folder of the training to start from.
    """
    if lora is None:
        return lm, [], None
    if start is None:
        peft = new_adapter(lm, lora)
    else:
        peft = stored_adapter(lm, Adapter(start.name, start / LORA))
    reader = CausalLM(peft.get_base_model(), lm.tokenizer, lm.identity)
    for name, parameter in reader.model.named_parameters():
        parameter.requires_grad_("lora_" in name)
    return reader, [one for one in peft.parameters() if one.requires_grad], peft
