"""The recipe that trains VisionLLM on a pack's scenes: warm-up, then the paper's two stages."""

from dataclasses import dataclass, field, replace
from typing import Any

import torch

from frostbench.baselines.visionllm.lessons import Lessons, LessonSettings, Mixture
from frostbench.baselines.visionllm.model import VisionLLM
from frostbench.baselines.visionllm.scenes import ScenePool
from frostbench.baselines.visionllm.settings import (
    BackboneSettings,
    DetrSettings,
    FusionSettings,
    SlotSettings,
    TextEncoderSettings,
    VisionLLMSettings,
    VocabularySettings,
)
from frostbench.baselines.visionllm.token_loss import TokenLossSettings
from frostbench.baselines.visionllm.training import StageSettings, StageTraining
from frostbench.baselines.visionllm.tuple_loss import TupleLossSettings
from frostbench.baselines.visionllm.warm_up import (
    BackboneTraining,
    BackboneWarmUp,
    DetectorTraining,
    WarmUpSettings,
    name_vectors,
)
from frostbench.baselines.visionllm.wording import InstructionWording
from frostbench.plugins.backbones.adapters import LoraSettings, new_adapter
from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.backbones.entry import BackboneEntry
from frostbench.plugins.backbones.shared import SharedBackbones
from frostbench.plugins.contract.method import Backbones
from frostbench.plugins.contract.recipe import Report, Workshop
from frostbench.plugins.parts.training import folder as stored
from frostbench.plugins.parts.training import loop as recipe

MINI = VisionLLMSettings(
    backbone=BackboneSettings(
        timm="", embedding=32, hidden=(32, 64, 128, 192), depths=(1, 1, 1, 1)
    ),
    text=TextEncoderSettings(words=2048, width=96, layers=2, heads=4, inner=192, longest=192),
    detr=DetrSettings(
        side=96,
        width=128,
        levels=3,
        heads=4,
        points=2,
        encoder_layers=1,
        decoder_layers=2,
        inner=256,
        queries=10,
        refine=True,
        dropout=0.0,
    ),
    fusion=FusionSettings(heads=4),
    vocabulary=VocabularySettings(half_range=64, class_words=12, spread=0.1),
    slots=SlotSettings(most_points=24, sine=32, inner=64, reading="mean"),
    llm_width=256,
)
"""Sizes for the `mini` pack: images of 64 pixels, a language model of width 256."""

BRIEF = InstructionWording(
    detection=(
        " find all<class>. the image is<image>:",
        " give the boxes of<class> in<image>:",
        " which of<class> are in<image>:",
    ),
    segmentation=(
        " outline all<class> with<points> points. the image is<image>:",
        " give<points> points around each of<class> in<image>:",
    ),
    grounding=(
        " find<expression><cls0>. the image is<image>:",
        " give the box of<expression><cls0> in<image>:",
    ),
    caption=(" the image is<image>. caption:", " describe<image>:"),
    question=(
        " the image is<image>. question:<question> answer:",
        " look at<image> and answer:<question>",
    ),
    opening=" {",
    colon="",
    comma=",",
    closing=" }",
    lead=" ",
    answer=" ",
)
"""Short prompts for a small language model, each word with its blank."""

_LORA = LoraSettings(
    rank=32,
    alpha=64,
    targets=("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"),
)
_TOKENS = TokenLossSettings(box=5.0, giou=2.0)
_TUPLES = TupleLossSettings(cost_centre=5.0, spread=1.5, mean=5.0, giou=1.0)
_FIRST = StageSettings(
    steps=3600,
    images=16,
    rate=1.5e-3,
    tokenizer_share=0.2,
    backbone_share=0.0,
    lessons=LessonSettings(classes=(2, 12)),
    tokens=_TOKENS,
    targets="shown",
    tuples=_TUPLES,
    naming=0.5,
    bfloat16=True,
)
_SECOND = replace(
    _FIRST,
    steps=2000,
    rate=1e-3,
    backbone_share=0.0,
    lessons=LessonSettings(
        classes=(2, 12),
        points=(8, 12),
        mixture=Mixture(
            detection=0.35, segmentation=0.2, grounding=0.2, caption=0.1, question=0.15
        ),
    ),
)


@dataclass(frozen=True)
class VisionLLMRecipe:
    """What is trained and how, for the `mini` pack.

    Attributes:
        sizes: Of the networks.
        warm_up: What stands for the pretrained networks of the paper.
        blank: What stands before a name, where the tokenizer keeps words with their blank.
        scenes: Training scenes, gone through again and again.
        wording: The prompts.
        lora: The adapter beside the language model; rank 64 on the four projections of attention
            in the paper, where alpha is not found.
        first: Detection alone.
        second: All tasks, with a frozen backbone.
        log_every: Steps between lines of the log, and points of the curve.
        save_every: Steps between checkpoints.
    """

    sizes: VisionLLMSettings = MINI
    warm_up: WarmUpSettings = field(
        default_factory=lambda: WarmUpSettings(backbone_steps=450, detector_steps=1400, naming=4.0)
    )
    blank: str = " "
    scenes: int = 20_480
    wording: InstructionWording = BRIEF
    lora: LoraSettings = _LORA
    first: StageSettings = _FIRST
    second: StageSettings = _SECOND
    log_every: int = 25
    save_every: int = 50


def train(workshop: Workshop) -> Report:
    """Train, store the weights in `pack/visionllm`, and measure what is stored.

    Raises:
        ValueError: the language model or the scenes are missing, or a setting is unknown.
    """
    settings = stored.override(VisionLLMRecipe(), workshop.settings, "visionllm")
    entries = [BackboneEntry("llm", "causal_lm", str(workshop.pack / "llm"))]
    return train_on(workshop, settings, SharedBackbones(entries, workshop.device))


def train_on(workshop: Workshop, settings: VisionLLMRecipe, backbones: Backbones) -> Report:
    """Train with settings that are read, beside a language model that is loaded."""
    lm: CausalLM = backbones.get("llm")
    scenes = workshop.data.get("boxed")
    folder = workshop.scratch / "visionllm-scenes"
    pool = ScenePool(scenes, "base", settings.scenes, workshop.seed, folder)
    torch.manual_seed(workshop.seed)
    model = VisionLLM(settings.sizes).to(workshop.device)
    model.tokenizer.detr.unfreeze_backbone()
    names = tuple(scenes.names("base"))
    warmed_up(workshop, settings, model, lm, names, pool)
    adapted = new_adapter(lm, settings.lora)
    words = name_vectors(lm, names, settings.blank).to(workshop.device)
    progress = recipe.TrainingProgress()
    for number, stage in enumerate((settings.first, settings.second), 1):
        half = settings.sizes.vocabulary.half_range
        lessons = Lessons(names, settings.wording, stage.lessons, half, workshop.seed + number)
        training = StageTraining(model, lm, adapted, lessons, pool, names, words, stage)
        progress = recipe.train(
            workshop,
            f"visionllm-stage{number}",
            {"model": model, "adapter": Adapting(adapted), "optimiser": training.optimiser},
            training.step,
            stage.steps,
            log_every=settings.log_every,
            save_every=settings.save_every,
        )
    return progress.report({}, settings)


class Adapting:
    """The numbers of a `PeftModel` that are trained, as something to save."""

    def __init__(self, model: Any) -> None:
        self._parts = {n: p for n, p in model.named_parameters() if "lora_" in n}

    def state_dict(self) -> dict[str, Any]:
        """All of them by name."""
        return {name: part.detach().clone() for name, part in self._parts.items()}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Take what `state_dict` gave."""
        with torch.no_grad():
            for name, part in self._parts.items():
                part.copy_(state[name])


def warmed_up(
    workshop: Workshop,
    settings: VisionLLMRecipe,
    model: VisionLLM,
    lm: CausalLM,
    names: tuple[str, ...],
    pool: ScenePool,
) -> recipe.TrainingProgress:
    """Train what stands for the pretrained networks; see `warm_up`."""
    how = settings.warm_up
    progress = recipe.TrainingProgress()
    if how.backbone_steps:
        warm = BackboneWarmUp(settings.sizes, len(names)).to(workshop.device)
        backbone = BackboneTraining(warm, names, pool, how)
        recipe.train(
            workshop,
            "visionllm-backbone",
            {"warm": warm, "optimiser": backbone.optimiser},
            backbone.step,
            how.backbone_steps,
            log_every=settings.log_every,
            save_every=settings.save_every,
        )
        warm.give(model)
    if how.detector_steps:
        words = name_vectors(lm, names, settings.blank).to(workshop.device)
        detector = DetectorTraining(model, names, words, pool, how)
        progress = recipe.train(
            workshop,
            "visionllm-detector",
            {"model": model, "optimiser": detector.optimiser},
            detector.step,
            how.detector_steps,
            log_every=settings.log_every,
            save_every=settings.save_every,
        )
    return progress
