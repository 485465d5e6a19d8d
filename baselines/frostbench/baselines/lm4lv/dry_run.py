"""What a training of LM4LV would cost, counted on networks without numbers."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from frostbench.baselines.lm4lv.model import Adapters, AdapterSettings
from frostbench.baselines.lm4lv.pairs import FeaturePairs
from frostbench.baselines.lm4lv.recipe import AdapterTraining, read_settings
from frostbench.baselines.lm4lv.wording import Frame
from frostbench.plugins.backbones.numberless import numberless
from frostbench.plugins.backbones.published_sizes import llama_7b, mae_large
from frostbench.plugins.contract.recipe import DryRun, Workshop
from frostbench.plugins.parts.training.counting import Phase, counted
from frostbench.plugins.parts.training.processes import Processes, cut

TEXTS = {"opening": 10, "end": 5, "assistant": 7, "begin": 4, "closing": 7}
"""Tokens of the prompt's texts, as LLaMA-2 reads the published ones."""

NOTES = (
    "The language model is a LLaMA-2-7B in bfloat16 and the masked autoencoder a ViT-L/16, "
    "whatever the pack has; the prompt's texts are 33 tokens.",
)


def plan(workshop: Workshop) -> DryRun:
    """A dry run of the adapters' training.

    Raises:
        ValueError: a setting is unknown, a LoRA is asked for, or the batch cannot be shared.
    """
    settings = read_settings("lm4lv", workshop)
    if settings.lora_rank:
        raise ValueError("a training with a LoRA is not counted; leave lora_rank at 0.")
    processes = Processes(replace(workshop, device="cpu"))
    with numberless():
        lm, mae = llama_7b(), mae_large()
        sizes = AdapterSettings(mae.width, lm.width, settings.task_tokens, settings.corruptions)
        adapters = Adapters(sizes)
        trained = nn.ParameterList(adapters.parameters())
        texts = {key: torch.empty(count, lm.width) for key, count in TEXTS.items()}
        begin, closing = (0,) * TEXTS["begin"], (0,) * TEXTS["closing"]
        frame = Frame(**texts, begin_ids=begin, closing_ids=closing)
        batch = settings.each * len(settings.corruptions)
        rows = len(cut(range(batch), 0, processes.parts))
        features = torch.empty(rows, mae.tokens, mae.width)
        pairs = FeaturePairs(features, features, torch.zeros(rows, dtype=torch.long))
        training = AdapterTraining(
            lm, adapters, frame, trained, lambda step: pairs, settings, processes
        )
        images = torch.empty(2 * rows, 3, mae.side, mae.side)

        def encode() -> None:
            mae.encode(images)

        def predict() -> Tensor:
            return training.predict(pairs).total

        return counted(
            workshop,
            settings.steps,
            batch,
            {"masked autoencoder": Phase(encode), "language model": Phase(predict)},
            trained={"adapters": adapters},
            frozen={"mae": mae.model, "llm": lm.model},
            notes=NOTES,
        )
