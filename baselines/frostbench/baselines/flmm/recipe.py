"""The recipe that trains F-LMM's heads on a pack's scenes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch

from frostbench.baselines.flmm import weights as stored
from frostbench.baselines.flmm.examples import PhraseExample, PhraseExamples, StreamedExamples
from frostbench.baselines.flmm.model import Heads, HeadSettings
from frostbench.baselines.flmm.prompts import BACKBONE, ChatWording
from frostbench.baselines.flmm.training import HeadTraining, HeadTrainingSettings, figures
from frostbench.baselines.flmm.unet import UNetSettings
from frostbench.plugins.backbones.entry import BackboneEntry
from frostbench.plugins.backbones.precision import rounded
from frostbench.plugins.backbones.shared import SharedBackbones
from frostbench.plugins.contract.numbered import NumberedScenes
from frostbench.plugins.contract.recipe import GroundedScenes, Report, Workshop
from frostbench.plugins.parts.grounding.attention import Merge
from frostbench.plugins.parts.training import loop as recipe
from frostbench.plugins.parts.training.folder import override
from frostbench.plugins.parts.training.processes import Processes
from frostbench.plugins.parts.training.stream import SampleStream

SEEDS = 1_000_003  # distance between the scenes of two trainings with neighbouring seeds


@dataclass(frozen=True)
class FLMMRecipe:
    """What is trained and how, for the `mini` pack.

    Attributes:
        widths: Channels of the mask head's stages; published are 64, 128, 256, 512.
        side: Side of its masks in grid cells; published are 64.
        merge: See `HeadSettings`.
        wording: What the multimodal model is told, as in the method's own settings.
        training: How the heads are trained.
        scenes: Training scenes, used again and again; all scenes of a user's own set are used.
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


PUBLISHED = FLMMRecipe(
    widths=(64, 128, 256, 512),
    side=64,
    wording=ChatWording(),
    training=HeadTrainingSettings(bfloat16=True),
)


def read_settings(workshop: Workshop) -> FLMMRecipe:
    """The settings of a training.

    Raises:
        ValueError: a setting is unknown.
    """
    default = PUBLISHED if workshop.published else FLMMRecipe()
    return override(default, workshop.settings, "flmm")


def train(workshop: Workshop) -> Report:
    """Train, store the heads in `pack/flmm`, and measure what is stored.

    Raises:
        ValueError: a backbone or the scenes are missing, or a setting is unknown.
    """
    settings = read_settings(workshop)
    entries = [
        BackboneEntry(BACKBONE, BACKBONE, str(workshop.pack / BACKBONE)),
        BackboneEntry("sam", "sam", str(workshop.pack / "sam")),
    ]
    return train_on(workshop, settings, SharedBackbones(entries, workshop.device))


def train_on(workshop: Workshop, settings: FLMMRecipe, backbones: SharedBackbones) -> Report:
    """Train with checked settings, around loaded models."""
    scenes = workshop.data.get("grounded")
    examples = PhraseExamples(
        scenes, backbones, settings.wording, settings.merge, workshop.scratch / "flmm"
    )
    first, drawn = _drawn(workshop, settings, scenes, examples)
    torch.manual_seed(workshop.seed)
    heads = Heads(sizes(settings, first), backbones.get("sam").model).to(workshop.device)
    processes = Processes(workshop)
    training = HeadTraining(heads, drawn, settings.training, processes)
    progress = recipe.train(
        workshop, "flmm", training.parts(), training.step, settings.training.steps, processes
    )
    if processes.rank:
        return progress.report({}, settings)  # the first process stores and measures
    rounded(heads, "byte")
    stored.save(workshop.folder("flmm"), heads)
    measured: dict[str, float] = {}
    for split in ("base", "validation", "novel"):
        unseen = list(_unseen(workshop, settings, scenes, examples, split))
        if unseen:
            found = figures(heads, unseen)
            measured |= {f"{key} [{split}]": value for key, value in found.items()}
    return progress.report(measured, settings)


def _drawn(
    workshop: Workshop, settings: FLMMRecipe, scenes: GroundedScenes, examples: PhraseExamples
) -> tuple[PhraseExample, Callable[[int], Sequence[PhraseExample]]]:
    """An example, and the examples of each step."""
    images = settings.training.images
    if isinstance(scenes, NumberedScenes):
        stream = SampleStream(workshop, scenes.count("base"), images, partial(scenes.scene, "base"))
        return examples.read([scenes.scene("base", 0, 0)])[0], StreamedExamples(examples, stream)
    with Processes(workshop).first_alone():
        known = list(examples.of("base", settings.scenes, workshop.seed * SEEDS))
    workshop.log(f"flmm: {len(known)} scenes read, {sum(len(e.masks) for e in known)} phrases")

    def drawn(step: int) -> list[PhraseExample]:
        draw = np.random.default_rng([workshop.seed, step])
        return [known[i] for i in draw.integers(len(known), size=images)]

    return known[0], drawn


def _unseen(
    workshop: Workshop,
    settings: FLMMRecipe,
    scenes: GroundedScenes,
    examples: PhraseExamples,
    split: str,
) -> Iterator[PhraseExample]:
    """Examples of a split for its figures; none where a user's own set lacks the split."""
    if not isinstance(scenes, NumberedScenes):
        first = workshop.seed * SEEDS + SEEDS // 2
        yield from examples.of(split, settings.validation_scenes, first)
        return
    for number in range(min(settings.validation_scenes, scenes.count(split))):
        yield from examples.read([scenes.scene(split, number, 0)])


def sizes(settings: FLMMRecipe, example: PhraseExample) -> HeadSettings:
    """The sizes of heads for the multimodal model that read this example."""
    layers, _, width = example.hidden.shape
    channels = example.rows.shape[1] * len(example.views)
    unet = UNetSettings(channels, settings.widths, settings.side)
    return HeadSettings(unet, layers, width, settings.merge)
