"""SPAE's entry: its card and its recipe, without loading any of its code."""

from collections.abc import Iterable

from frostbench.plugins.contract.cards import DISCRETE, HEADLESS, Card, Offer
from frostbench.plugins.contract.hooks import hookimpl
from frostbench.plugins.contract.recipe import Recipe

CARD = Card(
    name="spae",
    paper="https://arxiv.org/abs/2306.17842",
    summary="a pyramid of the language model's own words, meaning on top and appearance below",
    capabilities=DISCRETE,
    backbones=("llm",),
    trained=("encoder", "decoder"),
    trained_on="the pack's training images, guided by the pack's CLIP; no weights are published",
    reasons=HEADLESS,
)


@hookimpl
def frostbench_methods() -> Iterable[Offer[Card]]:
    """Offer the method."""
    return [Offer(CARD, "frostbench.baselines.spae.method:SPAEMethod")]


@hookimpl
def frostbench_recipes() -> Iterable[Recipe]:
    """Offer the training."""
    return [
        Recipe(
            "spae",
            ("data", "llm", "clip", "perceptual"),
            "frostbench.baselines.spae.recipe:train",
            "SPAE: encoder and decoder around the language model's embeddings, guided by CLIP",
        )
    ]
