"""The recipe that trains F-LMM's heads on a pack's scenes."""

from dataclasses import dataclass, field

import numpy as np
import torch

from frostbench.baselines.flmm import weights as stored
from frostbench.baselines.flmm.examples import PhraseExample, PhraseExamples
from frostbench.baselines.flmm.model import Heads, HeadSettings
from frostbench.baselines.flmm.prompts import BACKBONE, ChatWording
from frostbench.baselines.flmm.training import HeadTraining, HeadTrainingSettings, figures
from frostbench.baselines.flmm.unet import UNetSettings
from frostbench.plugins.backbones.entry import BackboneEntry
from frostbench.plugins.backbones.precision import rounded
from frostbench.plugins.backbones.shared import SharedBackbones
from frostbench.plugins.contract.recipe import Report, Workshop
from frostbench.plugins.parts.grounding.attention import Merge
from frostbench.plugins.parts.training import loop as recipe
from frostbench.plugins.parts.training.folder import override

SEEDS = 1_000_003  # between the scenes of two trainings with neighbouring seeds


@dataclass(frozen=True)
class FLMMRecipe:
    """What is trained and how, for the `mini` pack.

    Attributes:
        widths: Of the mask head's stages; published are 64, 128, 256, 512.
        side: Of its masks; published are 64 cells.
        merge: See `HeadSettings`.
        wording: What the multimodal model is told, as in the method's own settings.
        training: How the heads are trained.
        scenes: Training scenes, gone through again and again.
        validation_scenes: Scenes for each figure.
    """

    widths: tuple[int, ...] = (24, 48, 64, 96)
    side: int = 32
    merge: Merge = "mean"
    wording: ChatWording = field(default_factory=lambda: ChatWording(blanks="word", lead=" "))
    training: HeadTrainingSettings = field(
        default_factory=lambda: HeadTrainingSettings(steps=900, images=12, rate=1.5e-3)
    )
    scenes: int = 2_000
    validation_scenes: int = 200


def train(workshop: Workshop) -> Report:
    """Train, store the heads in `pack/flmm`, and measure what is stored.

    Raises:
        ValueError: a backbone or the scenes are missing, or a setting is unknown.
    """
    settings = override(FLMMRecipe(), workshop.settings, "flmm")
    entries = [
        BackboneEntry(BACKBONE, BACKBONE, str(workshop.pack / BACKBONE)),
        BackboneEntry("sam", "sam", str(workshop.pack / "sam")),
    ]
    return train_on(workshop, settings, SharedBackbones(entries, workshop.device))


def train_on(workshop: Workshop, settings: FLMMRecipe, backbones: SharedBackbones) -> Report:
    """Train with settings that are read, around models that are loaded."""
    examples = PhraseExamples(
        workshop.data.get("grounded"),
        backbones,
        settings.wording,
        settings.merge,
        workshop.scratch / "flmm",
    )
    first = workshop.seed * SEEDS
    known = list(examples.of("base", settings.scenes, first))
    workshop.log(f"flmm: {len(known)} scenes read, {sum(len(e.masks) for e in known)} phrases")
    torch.manual_seed(workshop.seed)
    heads = Heads(sizes(settings, known[0]), backbones.get("sam").model).to(workshop.device)
    images = settings.training.images

    def drawn(step: int) -> list[PhraseExample]:
        draw = np.random.default_rng([workshop.seed, step])
        return [known[i] for i in draw.integers(len(known), size=images)]

    training = HeadTraining(heads, drawn, settings.training)
    progress = recipe.train(
        workshop, "flmm", training.parts(), training.step, settings.training.steps
    )
    rounded(heads, "byte")
    stored.save(workshop.pack / "flmm", heads)
    measured: dict[str, float] = {}
    for split in ("base", "validation", "novel"):
        unseen = list(examples.of(split, settings.validation_scenes, first + SEEDS // 2))
        measured |= {f"{key} [{split}]": value for key, value in figures(heads, unseen).items()}
    return progress.report(measured, settings)


def sizes(settings: FLMMRecipe, example: PhraseExample) -> HeadSettings:
    """The sizes of heads over a multimodal model that reads as in an example."""
    layers, _, width = example.hidden.shape
    channels = example.rows.shape[1] * len(example.views)
    unet = UNetSettings(channels, settings.widths, settings.side)
    return HeadSettings(unet, layers, width, settings.merge)
