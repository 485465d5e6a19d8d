"""The recipe that trains SPAE on a pack's images, guided by the pack's CLIP."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from frostbench.baselines.spae.codebook import (
    CodebookSettings,
    choose,
    input_rows,
    special_ids,
    standardised,
)
from frostbench.baselines.spae.figures import measured
from frostbench.baselines.spae.model import SPAE, SPAESettings
from frostbench.baselines.spae.projection import ProjectionSettings, fit_projection
from frostbench.baselines.spae.semantic import SemanticSettings, scores
from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.backbones.clip import Clip
from frostbench.plugins.backbones.entry import BackboneEntry
from frostbench.plugins.backbones.templates import embed_words, or_imagenet
from frostbench.plugins.contract.recipe import Report, Workshop
from frostbench.plugins.parts.autoencoder.losses import LossSettings, PerceptualDistance
from frostbench.plugins.parts.autoencoder.reconstruction import AutoencoderOutput
from frostbench.plugins.parts.autoencoder.settings import SMALL, DiscriminatorSettings
from frostbench.plugins.parts.autoencoder.training import (
    AdversarialTraining,
    AdversarialTrainingSettings,
    perceptual_network,
)
from frostbench.plugins.parts.training import folder as stored
from frostbench.plugins.parts.training import loop as recipe
from frostbench.plugins.parts.training.pool import Pool
from frostbench.plugins.parts.training.processes import Processes

PUBLISHED_TRAINING = AdversarialTrainingSettings(
    steps=450_000,  # unverified, as is everything below except what is marked MAGVIT
    batch=256,
    rate=1e-4,
    warmup_steps=10_000,
    betas=(0.0, 0.99),  # MAGVIT
    average=0.999,  # MAGVIT
    loss=LossSettings(
        pixel="squared",
        perceptual_weight=0.1,  # MAGVIT, which uses ResNet-50's logits
        adversarial_weight=0.1,  # MAGVIT
        adversarial_start=0,
        adaptive=False,
        adversary="logistic",  # MAGVIT
        lecam_weight=1e-4,
        guidance_weight=1.0,
    ),
)
"""The published training; how its learning rate decays is not known, and not built."""


@dataclass(frozen=True)
class SPAERecipe:
    """What is trained and how, for the `mini` pack.

    The number and width of words follow from the pack's language model, whatever `model` says.
    Training uses `pool_batches` batches of images again and again. A projection of the codebook, if
    there is one, is fitted at the training's `fit_steps`.
    """

    model: SPAESettings = field(
        default_factory=lambda: SPAESettings(
            network=SMALL,
            layers=(1, 2, 4, 8, 8),
            code_projection=40,
            equal_norms=True,
            own_heads=2,
            depth_dropout=0.05,
        )
    )
    codebook: CodebookSettings = field(default_factory=lambda: CodebookSettings(whole_words=True))
    semantic: SemanticSettings = field(
        default_factory=lambda: SemanticSettings(
            thresholds=(0.98, 0.95),
            temperature=32.0,
            templates=("{}", "a {}", "a photo of {}", "a photo of a {}."),
        )
    )
    projection: ProjectionSettings = field(default_factory=ProjectionSettings)
    training: AdversarialTrainingSettings = field(
        default_factory=lambda: AdversarialTrainingSettings(
            steps=3_000,
            batch=8,
            rate=1e-3,
            warmup_steps=100,
            cosine=True,
            average=0.999,
            loss=LossSettings(
                pixel="squared",
                pixel_weight=4.0,
                codebook_weight=0.03,
                perceptual_weight=0.1,
                perceptual_start=2_500,
                adversarial_weight=0.1,
                adversarial_start=2_850,
                adversary="logistic",
                lecam_weight=1e-4,
                guidance_weight=4.0,
            ),
            discriminator=DiscriminatorSettings(layers=2, channels=16),
            pass_through=True,
            noisy_steps=300,
            noise=1.0,
            power_weight=0.003,
            fit_steps=(300,),
            bfloat16=True,
        )
    )
    pool_batches: int = 1000
    validation_batches: int = 32


PUBLISHED = SPAERecipe(
    model=SPAESettings(),
    codebook=CodebookSettings(),
    semantic=SemanticSettings(),
    training=PUBLISHED_TRAINING,
)


def read_settings(workshop: Workshop) -> SPAERecipe:
    """The settings of a training.

    Raises:
        ValueError: a setting is unknown.
    """
    default = PUBLISHED if workshop.published else SPAERecipe()
    return stored.override(default, workshop.settings, "spae")


@dataclass(frozen=True, eq=False)
class Guide:
    """A frozen CLIP, and its features of the codebook's words."""

    clip: Clip
    features: Float[Tensor, "words d"]

    def scores(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b words"]:
        """How well each word fits images in [-1, 1], from 0 to 1."""
        with torch.autocast(images.device.type, enabled=False):
            seen = self.clip.encode_image((images + 1) / 2)
        return scores(seen, self.features.to(images.device))


def train(workshop: Workshop) -> Report:
    """Make the codebook, train, store in `pack/spae`, and measure what is stored.

    Needs `pack/llm`, `pack/clip`, and `pack/perceptual` where the perceptual term has a weight.

    Raises:
        ValueError: a part or the images are missing, or a setting is unknown.
    """
    settings = read_settings(workshop)
    llm = CausalLM.load(_entry(workshop, "llm", "causal_lm"), workshop.device)
    clip = Clip.load(_entry(workshop, "clip", "open_clip"), workshop.device)
    perceptual = perceptual_network(workshop, settings.training.loss)
    return train_on(workshop, settings, llm, clip, perceptual)


def _entry(workshop: Workshop, role: str, kind: str) -> BackboneEntry:
    return BackboneEntry(role, kind, str(workshop.pack / role))


def train_on(
    workshop: Workshop,
    settings: SPAERecipe,
    llm: CausalLM,
    clip: Clip,
    perceptual: PerceptualDistance | None,
) -> Report:
    """Train with a loaded language model and CLIP."""
    torch.manual_seed(workshop.seed)
    words = choose(llm, special_ids(llm), settings.codebook)
    # A folder's name tells which model it is; its path on this machine is left out.
    source = Path(llm.identity)
    words = replace(words, llm=source.name if source.is_dir() else llm.identity)
    templates = or_imagenet(settings.semantic.templates)
    guide = Guide(clip, embed_words(clip, words.texts, templates))
    rows = input_rows(llm, words) if settings.codebook.source == "llm_input" else guide.features
    rows = standardised(rows, settings.codebook.standardise)
    sizes = replace(settings.model, words=len(rows), width=rows.shape[1])
    settings = replace(settings, model=sizes)
    workshop.log(f"spae: {len(rows)} words of width {sizes.width} are the codebook")
    model = SPAE(sizes).to(workshop.device)
    model.set_codebook(rows)
    plan, processes = settings.training, Processes(workshop)
    training = AdversarialTraining(
        model,
        guided(model, guide, settings.semantic),
        Pool(workshop, "base", plan.batch, settings.pool_batches),
        plan,
        processes,
        last_layer=model.decoder.conv_out.weight,
        features=model.features,
        fit=lambda points: fit_codes(model, guide, points, settings.projection),
        perceptual=perceptual,
    )
    progress = recipe.train(
        workshop, "spae", training.parts(), training.step, plan.steps, processes
    )
    if processes.rank:
        return progress.report({}, settings)  # the first process stores and measures
    training.finish()
    folder = workshop.folder("spae")
    stored.save_model(folder, model)
    words.save(folder)
    held_out = Pool(workshop, "validation", plan.batch, settings.validation_batches)
    figures, notes = measured(model, guide.scores, held_out, len(settings.semantic.thresholds))
    return progress.report(figures, settings, notes)


def guided(
    model: SPAE, guide: Guide, semantic: SemanticSettings
) -> Callable[[Tensor, float | None], AutoencoderOutput]:
    """The model's pass with CLIP's scores of the images, unless noise is added."""

    def forward(images: Tensor, noise: float | None) -> AutoencoderOutput:
        scored = guide.scores(images) if noise is None and semantic.thresholds else None
        return model(images, noise, scored, semantic)  # type: ignore[no-any-return]

    return forward


def fit_codes(
    model: SPAE, guide: Guide, points: Float[Tensor, "n d"], settings: ProjectionSettings
) -> None:
    """Fit the projection to the features; see `fit_projection`.

    Raises:
        ValueError: the codebook has no projection to fit.
    """
    if model.settings.code_projection is None:
        raise ValueError("words without a projection cannot be fitted; set fit_steps to nothing.")
    meanings = guide.features.to(points.device)
    fit_projection(model.code_projection, model.codebook, meanings, points, settings)
