"""What V2L-Tokenizer offers to frostbench; importing this module loads no torch."""

from collections.abc import Iterable

from frostbench.plugins.contract.cards import Card, Offer
from frostbench.plugins.contract.converter import Converter, PublishedFile
from frostbench.plugins.contract.hooks import hookimpl
from frostbench.plugins.contract.recipe import Recipe
from frostbench.v2l.card import CARD


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
            together=True,
            plan="frostbench.v2l.dry_run:plan",
            few={
                "voting_batches": "2",
                "validation_batches": "1",
                "vocabulary.prompts": "[{}]",
            },
            shared=("training.batch",),
        ),
        Recipe(
            "v2l_adapter",
            ("data", "llm", "clip", "v2l"),
            "frostbench.v2l.adapter_recipe:train",
            "a LoRA adapter of the language model that restores masked words",
            few={"batches": "1", "draws": "1", "validation_batches": "1", "restored": "1"},
            shared=("batch",),
        ),
    ]


@hookimpl
def frostbench_converters() -> Iterable[Converter]:
    """Offer to read the official files."""
    return [
        Converter(
            "v2l",
            (
                PublishedFile("checkpoint", "the tokenizer (v2l-decode.ckpt or a periodic .pth)"),
                PublishedFile("global_words", "the global vocabulary (global_vocabulary.npy)"),
                PublishedFile("local_words", "the local one (local_vocabulary.npy)", False),
                PublishedFile("llm", "instead of it: the folder of LLaMA's tokenizer", False),
            ),
            "frostbench.v2l.convert:convert",
            "V2L-Tokenizer with its vocabularies",
            "sizes are read off the tensors; global_tokens=21, cross_attention_heads=8",
        )
    ]
