"""Settings of the recipe that trains VisionLLM on a pack's scenes, with sizes for `mini`."""

from dataclasses import dataclass, field, replace

from frostbench.baselines.visionllm.lessons import LessonSettings, Mixture
from frostbench.baselines.visionllm.settings import (
    BackboneSettings,
    DetrSettings,
    FusionSettings,
    NewWordSettings,
    SlotSettings,
    TextEncoderSettings,
    VisionLLMSettings,
)
from frostbench.baselines.visionllm.token_loss import TokenLossSettings
from frostbench.baselines.visionllm.training import StageSettings
from frostbench.baselines.visionllm.tuple_loss import TupleLossSettings
from frostbench.baselines.visionllm.warm_up import WarmUpSettings
from frostbench.baselines.visionllm.wording import InstructionWording
from frostbench.plugins.backbones.adapters import LoraSettings

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
    vocabulary=NewWordSettings(half_range=64, class_words=12, spread=0.1),
    slots=SlotSettings(most_points=24, sine=32, inner=64, sizes=True, reading="mean"),
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
# A scene leaves eight of ten tuples without a target, where DETR leaves 93 of 100.
_TUPLES = TupleLossSettings(none=0.4, cost_centre=5.0, spread=1.5, mean=5.0, giou=1.0)
_FIRST = StageSettings(
    steps=950,
    images=16,
    rate=1e-3,
    tokenizer_share=0.4,
    backbone_share=0.0,
    lessons=LessonSettings(classes=(2, 12)),
    tokens=_TOKENS,
    targets="shown",
    tuples=_TUPLES,
    naming=2.0,
    bfloat16=True,
)
_SECOND = replace(
    _FIRST,
    steps=1500,
    rate=8e-4,
    tokenizer_share=0.6,
    backbone_share=0.0,
    lessons=LessonSettings(
        classes=(2, 12),
        points=(8, 12),
        mixture=Mixture(
            detection=0.4, segmentation=0.15, grounding=0.25, caption=0.08, question=0.12
        ),
    ),
)


_LETTERS = tuple("ABCDEFGHIJKL")


@dataclass(frozen=True)
class VisionLLMRecipe:
    """What is trained and how, for the `mini` pack.

    Attributes:
        sizes: Sizes of the networks.
        start: Folder of a trained VisionLLM to continue from, in the pack or with its whole path,
            with its sizes, prompts and LoRA, without a warm-up; empty for new networks.
        warm_up: The warm-up that replaces the pretrained networks of the paper.
        bert: Folder of a BERT in transformers' layout, from which the text encoder starts and whose
            tokens it reads (its sizes replace those of `sizes.text`); empty for a text encoder that
            is trained from scratch, on the language model's tokens.
        blank: Text before a name, for tokenizers that keep words with their blank.
        class_texts: Texts of one token each, from whose embeddings and output rows the class words
            start, so that the language model can use them like known words at once; none for random
            rows. Not found in the paper.
        scenes: Training scenes, used again and again.
        wording: The prompts.
        lora: The adapter beside the language model; rank 64 on the four projections of attention
            in the paper, where alpha is not found.
        first: The first stage: detection alone.
        second: The second stage: all tasks, with a frozen backbone.
        examine_every: Steps between figures on scenes that are not trained on.
        examined: How many such scenes.
        validation_scenes: Scenes of each split for the card.
        log_every: Steps between lines of the log, and points of the curve.
        save_every: Steps between checkpoints.
    """

    sizes: VisionLLMSettings = MINI
    start: str = ""
    warm_up: WarmUpSettings = field(
        default_factory=lambda: WarmUpSettings(backbone_steps=450, detector_steps=3450, naming=4.0)
    )
    bert: str = ""
    blank: str = " "
    class_texts: tuple[str, ...] = _LETTERS
    scenes: int = 20_480
    wording: InstructionWording = BRIEF
    lora: LoraSettings = _LORA
    first: StageSettings = _FIRST
    second: StageSettings = _SECOND
    examine_every: int = 250
    examined: int = 40
    validation_scenes: int = 200
    log_every: int = 25
    save_every: int = 50
