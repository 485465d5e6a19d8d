"""LM4LV's card: what the method can do, what it needs and what is trained."""

from dataclasses import replace

from frostbench.plugins.contract.cards import HEADLESS, Card

_PIXELS = "its adapters carry features of pixels: nothing ties them to words"
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
