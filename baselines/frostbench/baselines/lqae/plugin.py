"""What LQAE offers to frostbench; importing this module loads no torch."""

from collections.abc import Iterable

from frostbench.baselines.lqae.card import CARD
from frostbench.plugins.contract.cards import Card, Offer
from frostbench.plugins.contract.converter import Converter, PublishedFile
from frostbench.plugins.contract.hooks import hookimpl
from frostbench.plugins.contract.recipe import Recipe


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
            few={"validation_batches": "1"},
            shared=("training.batch",),
        )
    ]


@hookimpl
def frostbench_converters() -> Iterable[Converter]:
    """Offer to read the official files."""
    return [
        Converter(
            "lqae",
            (PublishedFile("parameters", "Flax parameters as .npz or .msgpack"),),
            "frostbench.baselines.lqae.convert:convert",
            "LQAE's encoder and decoder",
            "those of LQAESettings: lm_output, ban_special, network.image_size, ...",
        )
    ]
