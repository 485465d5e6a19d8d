"""The result of a VisionLLM training in a pack's folder: networks, prompts, and the LoRA."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from frostbench.baselines.visionllm.model import VisionLLM
from frostbench.baselines.visionllm.settings import VisionLLMSettings
from frostbench.baselines.visionllm.text import TextReader, stored_reader
from frostbench.baselines.visionllm.wording import InstructionWording
from frostbench.plugins.backbones.adapters import save_adapter
from frostbench.plugins.contract.prompts import Adapter
from frostbench.plugins.parts.training import folder as stored

LORA = "lora"  # folder of the adapter, as peft saves it
TEXT = "text_tokenizer"  # folder of the text encoder's own tokenizer, if it has one


@dataclass(frozen=True)
class TrainedSettings:
    """Sizes of the networks, and the prompts that they were trained with."""

    sizes: VisionLLMSettings = field(default_factory=VisionLLMSettings)
    wording: InstructionWording = field(default_factory=InstructionWording)


@dataclass(frozen=True, eq=False)
class TrainedVisionLLM:
    """The result of one training."""

    model: VisionLLM
    wording: InstructionWording
    adapter: Adapter
    reader: TextReader | None = None  # None: the text encoder reads the language model's tokens


def save(
    folder: Path,
    model: VisionLLM,
    wording: InstructionWording,
    adapted: Any,
    reader: TextReader | None = None,
) -> None:
    """Round the networks to a byte a number, and write them and the adapter of a `PeftModel`.

    A reader of the text encoder's own tokens is written too.
    """
    stored.rounded(model, "byte")
    settings = TrainedSettings(model.settings, wording)
    stored.save(folder, settings, model.state_dict(), "byte")
    save_adapter(adapted, folder / LORA)
    if reader is not None and reader.tokenizer is not None:
        reader.tokenizer.save_pretrained(folder / TEXT)


def load(folder: Path) -> TrainedVisionLLM:
    """Read the result of a training.

    Raises:
        ValueError: a file is missing or damaged, or the two do not fit.
    """
    settings = stored.stored_settings(folder, TrainedSettings())
    model = VisionLLM(settings.sizes)
    stored.load_into(model, folder)
    lora = folder / LORA
    if not lora.is_dir():
        raise ValueError(
            f"no folder {lora}: the weights beside it were trained with a LoRA of the language "
            "model, which is missing; `frostbench train visionllm` writes both."
        )
    own = folder / TEXT
    return TrainedVisionLLM(
        model.eval().requires_grad_(False),
        settings.wording,
        Adapter("visionllm", lora),
        stored_reader(own) if own.is_dir() else None,
    )
