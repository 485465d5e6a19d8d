"""What LM4LV offers to frostbench; importing this module loads no torch."""

from collections.abc import Iterable

from frostbench.baselines.lm4lv.card import CARD, LORA_CARD
from frostbench.plugins.contract.cards import Card, Offer
from frostbench.plugins.contract.converter import Converter, PublishedFile
from frostbench.plugins.contract.hooks import hookimpl
from frostbench.plugins.contract.recipe import Recipe


@hookimpl
def frostbench_methods() -> Iterable[Offer[Card]]:
    """Offer the method, and its published variant with a LoRA."""
    return [
        Offer(CARD, "frostbench.baselines.lm4lv.method:LM4LV"),
        Offer(LORA_CARD, "frostbench.baselines.lm4lv.method:LM4LVLoRA"),
    ]


@hookimpl
def frostbench_recipes() -> Iterable[Recipe]:
    """Offer the trainings: degradations together, rotation and flipping each by itself."""
    return [
        recipe
        for method, suffix in (("lm4lv", ""), ("lm4lv_lora", "_lora"))
        for recipe in (
            _recipe(method, suffix, "degradations", method),
            _recipe(method, f"{suffix}_rotation", "rotation", f"{method}_rotation"),
            _recipe(method, f"{suffix}_flipping", "flipping", f"{method}_flipping"),
        )
    ]


def _recipe(method: str, suffix: str, training: str, name: str) -> Recipe:
    folder = f"{method}/{training}"
    first = ("data", "llm", "mae")
    files = ["config.json", "model.safetensors"]
    if method == LORA_CARD.name:
        files += ["lora/adapter_config.json", "lora/adapter_model.safetensors"]
    return Recipe(
        name,
        first if name == method else (*first, method),
        f"frostbench.baselines.lm4lv.recipe:train{suffix}",
        f"{method} for {training}: linear adapters and task tokens around the language model",
        makes=tuple(f"{folder}/{file}" for file in files),
        together=True,
        plan="frostbench.baselines.lm4lv.dry_run:plan" if name == "lm4lv" else None,
        few={"linear_batches": "1", "restored": "1"},
        shared=("each",),
    )


@hookimpl
def frostbench_converters() -> Iterable[Converter]:
    """Offer to read the official files."""
    return [
        Converter(
            "lm4lv",
            (PublishedFile("checkpoint", "pytorch_model.pt as LM4LV's code writes it"),),
            "frostbench.baselines.lm4lv.convert:convert",
            "LM4LV's adapters of one training, with its LoRA if it has one",
            "task=denoising (what it was trained for), lora_alpha=64; widths are read off tensors",
        )
    ]
