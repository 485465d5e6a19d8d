"""What a training of VisionLLM leaves in a pack's folder: networks, prompts, and the LoRA."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from frostbench.baselines.visionllm.model import VisionLLM
from frostbench.baselines.visionllm.settings import VisionLLMSettings
from frostbench.baselines.visionllm.wording import InstructionWording
from frostbench.plugins.backbones.adapters import save_adapter
from frostbench.plugins.contract.prompts import Adapter
from frostbench.plugins.parts.training import folder as stored

LORA = "lora"  # folder of the adapter, as peft saves it


@dataclass(frozen=True)
class TrainedSettings:
    """Sizes of the networks, and the prompts that they were trained with."""

    sizes: VisionLLMSettings = field(default_factory=VisionLLMSettings)
    wording: InstructionWording = field(default_factory=InstructionWording)


@dataclass(frozen=True, eq=False)
class TrainedVisionLLM:
    """What one training made."""

    model: VisionLLM
    wording: InstructionWording
    adapter: Adapter


def save(folder: Path, model: VisionLLM, wording: InstructionWording, adapted: Any) -> None:
    """Round the networks to a byte a number, and write them and the adapter of a `PeftModel`."""
    stored.rounded(model, "byte")
    settings = TrainedSettings(model.settings, wording)
    stored.save(folder, settings, model.state_dict(), "byte")
    save_adapter(adapted, folder / LORA)


def load(folder: Path) -> TrainedVisionLLM:
    """Read what a training made.

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
    return TrainedVisionLLM(
        model.eval().requires_grad_(False), settings.wording, Adapter("visionllm", lora)
    )
