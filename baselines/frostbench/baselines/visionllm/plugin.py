"""What VisionLLM offers to frostbench; importing this module loads no torch."""

from collections.abc import Iterable

from frostbench.baselines.visionllm.card import CARD
from frostbench.plugins.contract.cards import Card, Offer
from frostbench.plugins.contract.hooks import hookimpl
from frostbench.plugins.contract.recipe import Recipe


@hookimpl
def frostbench_methods() -> Iterable[Offer[Card]]:
    """Offer the method."""
    return [Offer(CARD, "frostbench.baselines.visionllm.method:VisionLLMMethod")]


@hookimpl
def frostbench_recipes() -> Iterable[Recipe]:
    """Offer the training."""
    return [
        Recipe(
            "visionllm",
            ("data", "llm"),
            "frostbench.baselines.visionllm.recipe:train",
            "VisionLLM: image tokenizer, new words and a LoRA beside the language model",
            makes=(
                "visionllm/config.json",
                "visionllm/model.safetensors",
                "visionllm/lora/adapter_config.json",
                "visionllm/lora/adapter_model.safetensors",
            ),
            few={"validation_scenes": "2", "examined": "2"},
            shared=(
                "warm_up.backbone_images",
                "warm_up.detector_images",
                "first.images",
                "second.images",
            ),
        )
    ]
