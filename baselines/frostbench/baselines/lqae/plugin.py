"""LQAE's entry: its card and its recipe, without loading any of its code."""

from collections.abc import Iterable

from frostbench.plugins.contract.cards import DISCRETE, HEADLESS, Card, Offer
from frostbench.plugins.contract.hooks import hookimpl
from frostbench.plugins.contract.recipe import Recipe

CARD = Card(
    name="lqae",
    paper="https://arxiv.org/abs/2302.00902",
    summary="tokens of a frozen masked language model, cell by cell, learned without any text",
    capabilities=DISCRETE,
    backbones=("llm", "mlm"),
    trained=("encoder", "decoder"),
    trained_on="images alone: the pack's training images; no weights are published",
    reasons=HEADLESS,
)


@hookimpl
def frostbench_methods() -> Iterable[Offer[Card]]:
    """Offer the method."""
    return [Offer(CARD, "frostbench.baselines.lqae.method:LQAEMethod")]


@hookimpl
def frostbench_recipes() -> Iterable[Recipe]:
    """Offer the training."""
    return [
        Recipe(
            "lqae",
            ("data", "mlm"),
            "frostbench.baselines.lqae.recipe:train",
            "LQAE: encoder and decoder around the masked language model",
        )
    ]
