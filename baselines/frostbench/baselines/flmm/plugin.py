"""What F-LMM offers to frostbench; importing this module loads no torch."""

from collections.abc import Iterable

from frostbench.baselines.flmm.card import CARD
from frostbench.plugins.contract.cards import Card, Offer
from frostbench.plugins.contract.converter import Converter, PublishedFile
from frostbench.plugins.contract.hooks import hookimpl
from frostbench.plugins.contract.recipe import Recipe


@hookimpl
def frostbench_methods() -> Iterable[Offer[Card]]:
    """Offer the method."""
    return [Offer(CARD, "frostbench.baselines.flmm.method:FLMM")]


@hookimpl
def frostbench_recipes() -> Iterable[Recipe]:
    """Offer the training."""
    return [
        Recipe(
            "flmm",
            ("data", "lmm", "sam"),
            "frostbench.baselines.flmm.recipe:train",
            "F-LMM: mask head and refiner over the multimodal model's attention",
            together=True,
            plan="frostbench.baselines.flmm.dry_run:plan",
            few={"scenes": "4", "validation_scenes": "2"},
        )
    ]


@hookimpl
def frostbench_converters() -> Iterable[Converter]:
    """Offer to read the official files."""
    return [
        Converter(
            "flmm",
            (PublishedFile("checkpoint", "the heads (.pth), as the official script writes them"),),
            "frostbench.baselines.flmm.convert:convert",
            "F-LMM's mask head, text projection and mask refiner",
            "those of HeadSettings (merge, unet.side), and sam.KEY for another SAM than ViT-L",
        )
    ]
