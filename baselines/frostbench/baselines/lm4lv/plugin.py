"""LM4LV's entry: its card and its recipe, without loading any of its code."""

from collections.abc import Iterable
from dataclasses import replace

from frostbench.plugins.contract.cards import HEADLESS, Card, Offer
from frostbench.plugins.contract.hooks import hookimpl
from frostbench.plugins.contract.recipe import Recipe

_PIXELS = "its adapters speak features of pixels: nothing ties them to words"
_UNTRAINED = "LM4LV is trained restoration by restoration, and was not for this one"

CARD = Card(
    name="lm4lv",
    paper="https://arxiv.org/abs/2405.15734",
    summary="a frozen language model goes on with an image's features, those of the clean one",
    capabilities=frozenset({"Reconstruct", "Restore"}),
    backbones=("llm", "mae"),
    trained=("adapter", "deadapter", "task tokens"),
    trained_on="degraded and clean images of the pack; no adapters are published",
    reasons={
        "Classify": _PIXELS,
        "Caption": _PIXELS,
        "Answer": _PIXELS,
        "Interpret": "its features are no words",
        "inpainting": _UNTRAINED,
        "outpainting": _UNTRAINED,
        "shift": _UNTRAINED,
        "masked_restoration": _UNTRAINED,
        **HEADLESS,
    },
    controls=("no_llm",),
    in_context=False,
)

LORA_CARD = replace(
    CARD,
    name="lm4lv_lora",
    summary="LM4LV with a LoRA adapter in the language model's attention",
    trained=(*CARD.trained, "LoRA"),
    adapters=(
        "denoising",
        "deblurring",
        "pepper_noise",
        "deraining",
        "mask_removal",
        "rotation",
        "flipping",
    ),
)


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
    )
