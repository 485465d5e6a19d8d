"""VQ-GAN's entry: its card and its recipe, without loading any of its code."""

from collections.abc import Iterable

from frostbench.plugins.contract.cards import DISCRETE, HEADLESS, Card, Offer
from frostbench.plugins.contract.hooks import hookimpl
from frostbench.plugins.contract.recipe import Recipe

CARD = Card(
    name="vqgan",
    paper="https://arxiv.org/abs/2012.09841",
    summary="codes learned from pixels alone, lent to the language model as ids without meaning",
    capabilities=DISCRETE,
    backbones=("llm",),
    trained=("encoder", "codebook", "decoder"),
    trained_on="images alone: the pack's training images; ImageNet-1K for published weights",
    reasons=HEADLESS,
)


@hookimpl
def frostbench_methods() -> Iterable[Offer[Card]]:
    """Offer the method."""
    return [Offer(CARD, "frostbench.baselines.vqgan.method:VQGANMethod")]


@hookimpl
def frostbench_recipes() -> Iterable[Recipe]:
    """Offer the training."""
    return [
        Recipe(
            "vqgan",
            ("data", "perceptual"),
            "frostbench.baselines.vqgan.recipe:train",
            "VQ-GAN: encoder, codebook and decoder, trained to reconstruct images",
        )
    ]
