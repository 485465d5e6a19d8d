"""What SPAE offers to frostbench; importing this module loads no torch."""

from collections.abc import Iterable

from frostbench.baselines.spae.card import CARD
from frostbench.plugins.contract.cards import Card, Offer
from frostbench.plugins.contract.hooks import hookimpl
from frostbench.plugins.contract.recipe import Recipe


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
            together=True,
            plan="frostbench.baselines.spae.dry_run:plan",
            few={"validation_batches": "1", "semantic.templates": "[{}]"},
            shared=("training.batch",),
        )
    ]
