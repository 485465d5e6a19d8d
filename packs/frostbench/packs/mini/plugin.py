"""The entry of the embedded pack `mini`: the pack, its data sets and its recipes, by name.

Nothing that the names stand for is imported here, and no torch.
"""

from collections.abc import Iterable
from pathlib import Path

from frostbench.plugins.contract.cards import Offer, PackCard, PresetCard
from frostbench.plugins.contract.hooks import hookimpl
from frostbench.plugins.contract.recipe import Recipe
from frostbench.plugins.host.packs import embedded_pack

_DATA_SETS = {
    "glyph_portraits": "GlyphPortraits",
    "glyph_scenes": "GlyphScenes",
    "known_glyph_scenes": "KnownGlyphScenes",
    "photo_crops": "PhotoCrops",
    "restoration_pictures": "RestorationImages",
}


@hookimpl
def frostbench_datasets() -> Iterable[Offer[str]]:
    """Offer the data sets; each target opens a folder."""
    scenes = "frostbench.packs.mini.scenes.datasets"
    return [Offer(name, f"{scenes}:{target}") for name, target in _DATA_SETS.items()]


@hookimpl
def frostbench_packs() -> Iterable[PackCard]:
    """Offer the embedded pack."""
    return [
        PackCard(
            "mini",
            str(embedded_pack("mini")),
            "small models and images, all made by this repository; no download, no GPU",
        )
    ]


@hookimpl
def frostbench_presets() -> Iterable[PresetCard]:
    """Offer larger sizes of the pack."""
    folder = Path(__file__).parent / "presets"
    return [PresetCard.of(path, "train") for path in sorted(folder.glob("*.yaml"))]


@hookimpl
def frostbench_training_data() -> Iterable[Offer[str]]:
    """Offer images and scenes, made of the data folder of the pack in the making, and text."""
    scenes = "frostbench.packs.mini.scenes"
    return [
        Offer("images", f"{scenes}.training_images:of_workshop"),
        Offer("grounded", f"{scenes}.training_scenes:of_workshop"),
        Offer("boxed", f"{scenes}.training_scenes:boxed_of_workshop"),
        Offer("captions", f"{scenes}.training_captions:of_workshop"),
        Offer("text", "frostbench.packs.mini.recipes.text.corpus:of_workshop"),
    ]


_RECIPES = "frostbench.packs.mini.recipes"


@hookimpl
def frostbench_recipes() -> Iterable[Recipe]:
    """Offer the trainings of the pack's data and frozen models."""
    return [*_of_text(), *_of_images()]


def _of_text() -> list[Recipe]:
    return [
        # The folder holds the tokenizer before there is a model.
        Recipe(
            "llm",
            (),
            f"{_RECIPES}.llm.recipe:train_llm",
            "the language model, on text alone",
            makes=("llm/model.safetensors",),
            few={"figures_rows": "2"},
            shared=("text_tokens", "exercise_tokens"),
        ),
        Recipe(
            "llama",
            (),
            f"{_RECIPES}.llm.recipe:train_llama",
            "a second, smaller language model with a tokenizer of its own",
            makes=("llama/model.safetensors",),
            few={"figures_rows": "2"},
            shared=("text_tokens", "exercise_tokens"),
        ),
        Recipe(
            "mlm",
            (),
            f"{_RECIPES}.mlm:train",
            "a masked language model, on text alone",
            makes=("mlm/model.safetensors",),
            few={"figures_rows": "2"},
            shared=("tokens",),
        ),
    ]


def _of_images() -> list[Recipe]:
    return [
        Recipe(
            "data", (), f"{_RECIPES}.data.artwork:train", "glyphs and photographs, cut and packed"
        ),
        Recipe(
            "clip",
            ("data", "llm"),
            f"{_RECIPES}.clip.recipe:train",
            "images and captions matched",
            few={"renderings": "2"},
            shared=("glyphs", "scenes"),
        ),
        Recipe(
            "lmm",
            ("data", "llama"),
            f"{_RECIPES}.lmm.recipe:train",
            "a multimodal model that describes scenes and answers questions",
            few={"figures_scenes": "2"},
            shared=("images", "conversations"),
        ),
        Recipe(
            "perceptual",
            ("data",),
            f"{_RECIPES}.perceptual:train",
            "a small VGG of glyphs",
            few={"validation": "8", "copies": "2"},
            shared=("batch",),
        ),
        Recipe(
            "sam",
            ("data",),
            f"{_RECIPES}.sam.recipe:train",
            "a small SAM of glyphs",
            few={"figures_scenes": "2"},
        ),
        Recipe(
            "mae",
            ("data", "perceptual"),
            f"{_RECIPES}.mae:train",
            "a masked autoencoder, its decoder tuned to give whole images back",
            few={"validation_batches": "1"},
            shared=("batch", "tuning_batch"),
        ),
    ]
