"""V2L-Tokenizer's entry: its card and its recipe, without loading any of its code."""

from collections.abc import Iterable

from frostbench.plugins.contract.cards import DISCRETE, HEADLESS, Card, Offer
from frostbench.plugins.contract.hooks import hookimpl
from frostbench.plugins.contract.recipe import Recipe

CARD = Card(
    name="v2l",
    paper="https://arxiv.org/abs/2403.07874",
    summary="images as words of the language model's own vocabulary, global and cell by cell",
    capabilities=DISCRETE,
    backbones=("llm", "clip"),
    trained=("encoder", "codebook projection", "decoder"),
    trained_on="the pack's training images, which also vote for the global vocabulary; "
    "ImageNet-1K for published weights",
    reasons=HEADLESS,
    adapters=("masked_restoration",),
)


@hookimpl
def frostbench_methods() -> Iterable[Offer[Card]]:
    """Offer the method."""
    return [Offer(CARD, "frostbench.v2l.method:V2L")]


@hookimpl
def frostbench_recipes() -> Iterable[Recipe]:
    """Offer the trainings."""
    return [
        Recipe(
            "v2l",
            ("data", "llm", "clip", "perceptual"),
            "frostbench.v2l.recipe:train",
            "V2L-Tokenizer: vocabularies, codebooks, encoder, projection and decoder",
        ),
        Recipe(
            "v2l_adapter",
            ("data", "llm", "clip", "v2l"),
            "frostbench.v2l.adapter_recipe:train",
            "a LoRA adapter of the language model that restores masked words",
        ),
    ]
