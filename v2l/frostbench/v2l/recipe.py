"""The recipe that makes V2L's codebooks and trains its tokenizer on a pack's images."""

from dataclasses import dataclass, field, replace
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.backbones.clip import Clip
from frostbench.plugins.backbones.entry import BackboneEntry
from frostbench.plugins.contract.recipe import Report, Workshop
from frostbench.plugins.parts.autoencoder.losses import LossSettings, PerceptualDistance
from frostbench.plugins.parts.autoencoder.projection import fit_spread
from frostbench.plugins.parts.autoencoder.reconstruction import AutoencoderOutput
from frostbench.plugins.parts.autoencoder.settings import SMALL, DiscriminatorSettings
from frostbench.plugins.parts.autoencoder.training import (
    AdversarialTraining,
    AdversarialTrainingSettings,
    figures,
    perceptual_network,
)
from frostbench.plugins.parts.training import folder as stored
from frostbench.plugins.parts.training import loop as recipe
from frostbench.plugins.parts.training.pool import Pool
from frostbench.plugins.parts.training.processes import Processes
from frostbench.v2l import codebook, vocabulary
from frostbench.v2l.codebook import Codebooks
from frostbench.v2l.model import V2LSettings, V2LTokenizer
from frostbench.v2l.vocabulary import VocabularySettings

PUBLISHED_TRAINING = AdversarialTrainingSettings(
    steps=16_000_000,  # 100 epochs of ImageNet in batches of 8
    batch=8,
    rate=4.5e-4,  # the paper: 5e-4
    warmup_steps=800_000,
    cosine=True,
    epsilon=1e-7,
    loss=LossSettings(
        perceptual_weight=0.1,  # the paper: 1.0
        adversarial_weight=0.75,  # the paper: 0.1
        adversarial_start=10_001,
    ),
    discriminator=DiscriminatorSettings(layers=2),
)


@dataclass(frozen=True)
class V2LRecipe:
    """What is trained and how, for the `mini` pack.

    Sizes of vocabularies and embeddings follow from the pack's LLM and CLIP, whatever `model`
    says. `voting_batches` batches of images vote in step 3 of the vocabulary; training goes
    through `pool_batches` again and again.
    """

    model: V2LSettings = field(
        default_factory=lambda: V2LSettings(
            network=SMALL,
            cross_attention_heads=2,
            cross_attention_residual=True,
        )
    )
    vocabulary: VocabularySettings = field(
        default_factory=lambda: VocabularySettings(
            keep_spaces=True,
            prompts=("{}", "a {}", "a photo of {}", "a photo of a {}."),
            more_than=0,
            merge_equal=True,
        )
    )
    training: AdversarialTrainingSettings = field(
        default_factory=lambda: AdversarialTrainingSettings(
            steps=4_500,
            batch=8,
            rate=1e-3,
            warmup_steps=100,
            cosine=True,
            loss=LossSettings(
                codebook_weight=10.0,
                perceptual_weight=0.1,
                perceptual_start=3_200,
                adversarial_weight=0.1,
                adversarial_start=3_900,
            ),
            discriminator=DiscriminatorSettings(layers=2, channels=16),
            pass_through=True,
            noisy_steps=300,
            noise=0.06,
            fit_steps=(300, 400, 500, 600, 800, 1000, 1250, 1500, 1750, 2000, 2500, 3000, 3500),
            bfloat16=True,
        )
    )
    voting_batches: int = 256
    pool_batches: int = 1500
    validation_batches: int = 32


PUBLISHED = V2LRecipe(
    model=V2LSettings(),
    vocabulary=VocabularySettings(),
    training=PUBLISHED_TRAINING,
    voting_batches=160_146,  # all of ImageNet's training images vote
)


def read_settings(workshop: Workshop) -> V2LRecipe:
    """The settings of a training.

    Raises:
        ValueError: a setting is unknown.
    """
    default = PUBLISHED if workshop.published else V2LRecipe()
    return stored.override(default, workshop.settings, "v2l")


def train(workshop: Workshop) -> Report:
    """Make the codebooks, train, store in `pack/v2l`, and measure what is stored.

    Needs `pack/llm`, `pack/clip`, and `pack/perceptual` where the perceptual term has a weight.

    Raises:
        ValueError: a part or the images are missing, or a setting is unknown.
    """
    settings = read_settings(workshop)
    source = str(workshop.pack / "clip")
    clip = Clip.load(BackboneEntry("clip", "open_clip", source), workshop.device)
    voters = Pool(workshop, "base", settings.training.batch, settings.voting_batches)
    with Processes(workshop).first_alone():
        books = kept_codebooks(workshop, clip, voters, settings.vocabulary)
    perceptual = perceptual_network(workshop, settings.training.loss)
    return train_on(workshop, settings, clip, books, perceptual)


def train_on(
    workshop: Workshop,
    settings: V2LRecipe,
    clip: Clip,
    books: Codebooks,
    perceptual: PerceptualDistance | None,
) -> Report:
    """Train with a loaded CLIP on codebooks that exist."""
    torch.manual_seed(workshop.seed)
    sizes = replace(
        settings.model,
        local_words=len(books.local),
        global_words=len(books.global_),
        embed_width=books.local.shape[1],
        global_tokens=min(settings.model.global_tokens, len(books.global_)),
    )
    settings = replace(settings, model=sizes)
    model = V2LTokenizer(sizes).to(workshop.device)
    model.set_tables(books.local, books.global_)

    def forward(images: Tensor, noise: float | None) -> AutoencoderOutput:
        words = model.nearest_global(image_features(images, clip))
        return cast(AutoencoderOutput, model(images, words, noise))

    plan, processes = settings.training, Processes(workshop)
    training = AdversarialTraining(
        model,
        forward,
        Pool(workshop, "base", plan.batch, settings.pool_batches),
        plan,
        processes,
        last_layer=model.decoder.conv_out.weight,
        features=model.features,
        fit=lambda points: fit_projection(model, points),
        perceptual=perceptual,
    )
    if plan.pass_through and sizes.normalise_features:
        # Features of length 1 have small values in each of their many channels.
        model.post_quant_conv.weight.data.mul_(sizes.embed_width**0.5)
    progress = recipe.train(workshop, "v2l", training.parts(), training.step, plan.steps, processes)
    if processes.rank:
        return progress.report({}, settings)  # the first process stores and measures
    folder = workshop.folder("v2l")
    stored.save_model(folder, model)
    codebook.save_words(folder, books.local_words, books.global_words)
    held_out = Pool(workshop, "validation", plan.batch, settings.validation_batches)
    measured = figures(model, forward, held_out, sizes.local_words) | {
        "local_words": float(len(books.local)),
        "local_words_distinct": float(len(torch.unique(books.local, dim=0))),
        "global_words": float(len(books.global_)),
    }
    return progress.report(measured, settings)


def kept_codebooks(
    workshop: Workshop, clip: Clip, voters: Pool, settings: VocabularySettings
) -> Codebooks:
    """The codebooks in `scratch/v2l_codebooks`, made with the pack's LLM if there are none.

    Raises:
        ValueError: the pack has no LLM, or what is kept was made with other settings.
    """
    folder = workshop.scratch / "v2l_codebooks"
    note, made = folder / "settings.txt", repr(settings)
    if note.is_file():
        if note.read_text(encoding="utf-8") != made:
            raise ValueError(f"{folder} was made with other settings; remove it to make it anew.")
        workshop.log(f"v2l: codebooks from {folder}")
        return codebook.load(folder)
    source = str(workshop.pack / "llm")
    llm = CausalLM.load(BackboneEntry("llm", "causal_lm", source), workshop.device)
    books = make_codebooks(workshop, llm, clip, voters, settings)
    codebook.save(folder, books)
    note.write_text(made, encoding="utf-8")
    return books


def make_codebooks(
    workshop: Workshop, llm: CausalLM, clip: Clip, voters: Pool, settings: VocabularySettings
) -> Codebooks:
    """The three steps of the vocabulary."""
    expansion = vocabulary.expand(llm.model, llm.tokenizer, settings)
    texts, words = expansion.texts(), len(expansion.first)
    workshop.log(f"v2l: {words} tokens expanded, {len(set(texts))} different texts")
    table = vocabulary.embed(clip, texts, settings)
    rows = torch.tensor(vocabulary.candidates(texts, settings))
    features = (image_features(images, clip).cpu() for images in voters)
    counts = vocabulary.votes(features, table[rows], settings.nearest)
    kept = rows[torch.tensor(vocabulary.elect(counts, settings))]
    names = tuple(texts[row] for row in kept.tolist())
    workshop.log(f"v2l: {len(kept)} global words; the first: {list(names[:40])}")
    return Codebooks(table[:words], table[kept], expansion.first, names)


def image_features(images: Float[Tensor, "b 3 h w"], clip: Clip) -> Float[Tensor, "b d"]:
    """CLIP's features of images in [-1, 1], in single precision and not normalised."""
    with torch.autocast(images.device.type, enabled=False):
        return clip.encode_image((images + 1) / 2)


def fit_projection(model: V2LTokenizer, points: Float[Tensor, "n d"]) -> None:
    """Fit the projection of the local words to features in mean and covariance; see `fit_spread`.

    Raises:
        ValueError: the tokenizer has no projection to fit.
    """
    if not model.settings.projection:
        raise ValueError("words without a projection cannot be fitted; set fit_steps to nothing.")
    fit_spread(model.codebook_projection, torch.unique(model.tok_embeddings.weight, dim=0), points)
