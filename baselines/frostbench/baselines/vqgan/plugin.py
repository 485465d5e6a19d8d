"""What VQ-GAN offers to frostbench; importing this module loads no torch."""

from collections.abc import Iterable

from frostbench.baselines.vqgan.card import CARD
from frostbench.plugins.contract.cards import Card, Offer
from frostbench.plugins.contract.converter import Converter, PublishedFile
from frostbench.plugins.contract.hooks import hookimpl
from frostbench.plugins.contract.recipe import Recipe


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
            together=True,
            plan="frostbench.baselines.vqgan.dry_run:plan",
            few={"validation_batches": "1"},
            shared=("training.batch",),
        )
    ]


@hookimpl
def frostbench_converters() -> Iterable[Converter]:
    """Offer to read the official checkpoints."""
    return [
        Converter(
            "vqgan",
            (PublishedFile("checkpoint", "a Lightning checkpoint (last.ckpt): f16, f8, Gumbel"),),
            "frostbench.baselines.vqgan.convert:convert",
            "VQ-GAN's autoencoder, alone or inside a transformer's checkpoint",
            "all sizes are read off the tensors; those of VQGANSettings may be given",
        )
    ]
