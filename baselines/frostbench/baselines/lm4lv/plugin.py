"""LM4LV's entry: its card and its recipe, without loading any of its code."""

from collections.abc import Iterable

from frostbench.plugins.cards import HEADLESS, Card, Offer
from frostbench.plugins.hooks import hookimpl
from frostbench.plugins.recipe import Recipe

_PIXELS = "its adapters speak features of pixels: nothing ties them to words"
_UNTRAINED = "LM4LV is trained restoration by restoration, and was not for this one"

CARD = Card(
    name="lm4lv",
    paper="https://arxiv.org/abs/2405.15734",
    summary="a frozen language model goes on with a picture's features, those of the clean one",
    capabilities=frozenset({"Reconstruct", "Restore"}),
    backbones=("llm", "mae"),
    trained=("adapter", "deadapter", "task tokens"),
    trained_on="degraded and clean pictures of the pack; no adapters are published",
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
)


@hookimpl
def frostbench_methods() -> Iterable[Offer[Card]]:
    """Offer the method."""
    return [Offer(CARD, "frostbench.baselines.lm4lv.method:LM4LV")]


@hookimpl
def frostbench_recipes() -> Iterable[Recipe]:
    """Offer the training."""
    return [
        Recipe(
            "lm4lv",
            ("data", "llm", "mae"),
            "frostbench.baselines.lm4lv.recipe:train",
            "LM4LV: linear adapters and task tokens around the language model",
            makes=("lm4lv/degradations/config.json", "lm4lv/degradations/model.safetensors"),
        ),
        *(
            Recipe(
                f"lm4lv_{corruption}",
                ("data", "llm", "mae", "lm4lv"),
                f"frostbench.baselines.lm4lv.recipe:train_{corruption}",
                f"LM4LV once more, for {corruption}",
                makes=(f"lm4lv/{corruption}/config.json", f"lm4lv/{corruption}/model.safetensors"),
            )
            for corruption in ("rotation", "flipping")
        ),
    ]
