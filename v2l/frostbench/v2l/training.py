"""The recipe that makes V2L's codebooks and trains its tokenizer on a pack's pictures."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from frostbench.baselines.autoencoder import stored
from frostbench.baselines.autoencoder.losses import LossSettings
from frostbench.baselines.autoencoder.pool import Pool
from frostbench.baselines.autoencoder.reconstruction import Reconstruction
from frostbench.baselines.autoencoder.settings import DiscriminatorSettings, NetworkSettings
from frostbench.baselines.autoencoder.training import (
    AdversarialTraining,
    TrainingSettings,
    figures,
)
from frostbench.plugins import recipe
from frostbench.plugins.perceptual import Perceptual
from frostbench.plugins.recipe import Report, Workshop
from frostbench.v2l import codebook, vocabulary
from frostbench.v2l.codebook import Codebooks
from frostbench.v2l.model import V2LSettings, V2LTokenizer
from frostbench.v2l.pixels import for_clip
from frostbench.v2l.vocabulary import VocabularySettings

PUBLISHED = TrainingSettings(
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
    says. `voting_batches` batches of pictures vote in step 3 of the vocabulary; training goes
    through `pool_batches` again and again.
    """

    model: V2LSettings = field(
        default_factory=lambda: V2LSettings(
            network=NetworkSettings(
                channels=16,
                multipliers=(1, 2, 4, 8),
                residual_blocks=1,
                attention_sizes=(),
                nominal_size=64,
                z_channels=64,
                norm_groups=8,
            ),
            cross_attention_heads=2,
            cross_attention_residual=True,
        )
    )
    vocabulary: VocabularySettings = field(
        default_factory=lambda: VocabularySettings(
            keep_spaces=True, prompts=("a photo of {}",), more_than=0, merge_equal=True
        )
    )
    training: TrainingSettings = field(
        default_factory=lambda: TrainingSettings(
            steps=4000,
            batch=16,
            rate=1e-3,
            warmup_steps=100,
            cosine=True,
            loss=LossSettings(perceptual_weight=0.1, adversarial_weight=0.0, adversarial_start=0),
            discriminator=DiscriminatorSettings(layers=2, channels=16),
            noisy_steps=500,
            noise=0.2,
            fit_steps=(100, 200, 300, 400, 600, 800, 1000, 1300, 1600),
            bfloat16=True,
        )
    )
    voting_batches: int = 128
    pool_batches: int = 384
    validation_batches: int = 16


def train(workshop: Workshop) -> Report:
    """Make the codebooks, train, store in `pack/v2l`, and measure what is stored.

    Needs `pack/llm`, `pack/clip`, and `pack/perceptual` where the perceptual term has a weight.

    Raises:
        ValueError: a part or the pictures are missing, or a setting is unknown.
    """
    settings = stored.override(V2LRecipe(), workshop.settings, "v2l")
    clip, tokenize = load_clip(workshop.pack / "clip", workshop.device)
    pool = Pool(workshop, "base", settings.training.batch, settings.pool_batches)
    voters = Pool(workshop, "base", settings.training.batch, settings.voting_batches)
    books = codebooks(workshop, clip, tokenize, voters, settings.vocabulary)
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

    def forward(images: Tensor, noise: float | None) -> Reconstruction:
        return cast(Reconstruction, model(images, words_of(images, clip, model), noise))

    plan = settings.training
    training = AdversarialTraining(
        model,
        forward,
        pool,
        plan,
        last_layer=model.decoder.conv_out.weight,
        features=model.features,
        fit=lambda points: fit_projection(model, points),
        perceptual=(
            Perceptual.load(workshop.pack / "perceptual").to(workshop.device)
            if plan.loss.perceptual_weight > 0
            else None
        ),
    )
    progress = recipe.train(workshop, "v2l", training.parts(), training.step, plan.steps)
    stored.rounded(model)
    folder = workshop.pack / "v2l"
    stored.save(folder, sizes, model.state_dict())
    codebook.save_words(folder, books.local_words, books.global_words)
    held_out = Pool(workshop, "validation", plan.batch, settings.validation_batches)
    measured = figures(
        model,
        forward,
        (held_out(i) for i in range(settings.validation_batches)),
        sizes.local_words,
    )
    distinct = len(torch.unique(books.local, dim=0))
    return Report(
        steps=progress.step,
        seconds=progress.seconds,
        figures={
            **measured,
            "local_words": float(len(books.local)),
            "local_words_distinct": float(distinct),
            "global_words": float(len(books.global_)),
        },
        history=tuple(progress.history),
        settings=asdict(settings),
    )


def load_clip(folder: Path, device: str) -> tuple[Any, Any]:
    """The pack's CLIP, frozen, and its tokenizer.

    Raises:
        ValueError: the folder is missing.
    """
    if not folder.is_dir():
        raise ValueError(f"no CLIP in {folder}; train or copy that part of the pack first.")
    import open_clip

    name = f"local-dir:{folder}"
    clip, _, _ = open_clip.create_model_and_transforms(name, device=device)
    return clip.eval().requires_grad_(False), open_clip.get_tokenizer(name)


def load_llm(folder: Path, device: str) -> tuple[Any, Any]:
    """The pack's language model, frozen, and its tokenizer.

    Raises:
        ValueError: the folder is missing.
    """
    if not folder.is_dir():
        raise ValueError(f"no language model in {folder}; train or copy that part first.")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return model.to(device).eval(), AutoTokenizer.from_pretrained(folder)


def codebooks(
    workshop: Workshop, clip: Any, tokenize: Any, voters: Pool, settings: VocabularySettings
) -> Codebooks:
    """The three steps of the vocabulary, kept in `scratch/v2l_codebooks` once they are done."""
    folder = workshop.scratch / "v2l_codebooks"
    if (folder / codebook.WORDS).is_file():
        workshop.log(f"v2l: codebooks from {folder}")
        return codebook.load(folder)
    llm, tokenizer = load_llm(workshop.pack / "llm", workshop.device)
    expansion = vocabulary.expand(llm, tokenizer, settings)
    texts = expansion.texts()
    words = len(expansion.first)
    workshop.log(f"v2l: {words} tokens expanded, {len(set(texts))} different texts")
    table = vocabulary.embed(clip, tokenize, texts, settings)
    rows = torch.tensor(vocabulary.candidates(texts, settings))

    def features() -> Iterator[Tensor]:
        for i in range(voters.batches):
            yield image_features(voters(i), clip).cpu()

    counts = vocabulary.votes(features(), table[rows], settings.nearest)
    kept = rows[torch.tensor(vocabulary.elect(counts, settings))]
    books = Codebooks(
        local=table[:words],
        global_=table[kept],
        local_words=expansion.first,
        global_words=tuple(texts[row] for row in kept.tolist()),
    )
    workshop.log(f"v2l: {len(kept)} global words; the first: {list(books.global_words[:40])}")
    codebook.save(folder, books)
    return books


@torch.no_grad()
def image_features(images: Float[Tensor, "b 3 h w"], clip: Any) -> Float[Tensor, "b d"]:
    """CLIP's features of pictures in [-1, 1], not normalised."""
    with torch.autocast(images.device.type, enabled=False):
        return cast(Tensor, clip.encode_image(for_clip((images + 1) / 2, clip.visual)).float())


def words_of(
    images: Float[Tensor, "b 3 h w"], clip: Any, model: V2LTokenizer
) -> Int[Tensor, "b k"]:
    """The global words of pictures in [-1, 1]."""
    return model.nearest_global(image_features(images, clip))


@torch.no_grad()
def fit_projection(model: V2LTokenizer, points: Float[Tensor, "n d"]) -> None:
    """Set the projection so that the local words spread as features do: same mean and covariance.

    Principal directions are matched in order: the direction in which texts differ most becomes
    that in which features differ most.

    Raises:
        ValueError: the tokenizer has no projection to fit.
    """
    if not model.settings.projection:
        raise ValueError("words without a projection cannot be fitted; set fit_steps to nothing.")
    words = torch.unique(model.tok_embeddings.weight, dim=0).double()
    text_mean, text_spread, text_axes = _principal(words)
    mean, spread, axes = _principal(points.double())
    # Directions in which texts hardly differ carry nothing but rounding.
    gain = torch.where(text_spread > 1e-4 * text_spread[0], spread / text_spread, 0.0)
    weight = axes @ gain.diag() @ text_axes.T
    model.codebook_projection.weight.copy_(weight)
    model.codebook_projection.bias.copy_(mean - weight @ text_mean)


def _principal(
    points: Float[Tensor, "n d"],
) -> tuple[Float[Tensor, " d"], Float[Tensor, " d"], Float[Tensor, "d d"]]:
    """Mean, deviations along the principal axes from the largest, and the axes as columns."""
    mean = points.mean(0)
    centred = points - mean
    values, axes = torch.linalg.eigh(centred.T @ centred / len(points))
    return mean, values.flip(0).clamp(min=1e-12).sqrt(), axes.flip(1)


def load(folder: Path) -> V2LTokenizer:
    """The trained tokenizer of a pack's folder, in evaluation mode.

    Raises:
        ValueError: a file is missing or damaged, or the two do not fit.
    """
    model = V2LTokenizer(stored.read_settings(folder, V2LSettings()))
    stored.load_into(model, folder)
    return model.eval()
