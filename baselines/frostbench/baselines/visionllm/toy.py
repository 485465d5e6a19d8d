"""Sizes and prompts of the toy, for tests of the contract."""

from frostbench.baselines.visionllm.settings import (
    BackboneSettings,
    DetrSettings,
    FusionSettings,
    NewWordSettings,
    SlotSettings,
    TextEncoderSettings,
    VisionLLMSettings,
)
from frostbench.baselines.visionllm.wording import InstructionWording

TOY = VisionLLMSettings(
    backbone=BackboneSettings(timm="", embedding=8, hidden=(8, 8, 8, 8), depths=(1, 1, 1, 1)),
    text=TextEncoderSettings(words=320, width=16, layers=1, heads=2, inner=16, longest=128),
    detr=DetrSettings(
        side=64,
        width=32,
        levels=3,
        heads=2,
        points=2,
        encoder_layers=1,
        decoder_layers=1,
        inner=16,
        queries=4,
        refine=True,
        dropout=0.0,
    ),
    fusion=FusionSettings(heads=2, gate=0.5),
    vocabulary=NewWordSettings(half_range=8, class_words=4, spread=0.5),
    slots=SlotSettings(most_points=8, sine=4, inner=8, reading="mean"),
)

TOY_WORDING = InstructionWording(
    detection=("find <class> in <image>", "<image> has <class>:"),
    segmentation=("outline <class> with <points> points in <image>",),
    grounding=("find <expression> <cls0> in <image>", "<image> has <expression> <cls0>"),
    caption=("describe <image>",),
    question=("<image> <question>",),
)
