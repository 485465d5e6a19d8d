"""Coloured squares with names, boxes and masks, and a training of VisionLLM of a few steps."""

from dataclasses import replace

import torch

from frostbench.baselines.visionllm.lessons import LessonSettings, Mixture
from frostbench.baselines.visionllm.mini import VisionLLMRecipe
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
from frostbench.plugins.backbones.adapters import LoraSettings
from frostbench.plugins.contract.recipe import NamedScene
from frostbench.plugins.kit import toys

COLOURS = {"red": (1.0, 0.1, 0.1), "green": (0.1, 1.0, 0.1), "blue": (0.1, 0.1, 1.0)}
SIDE = 32

SIZES = VisionLLMSettings(
    backbone=BackboneSettings(timm="", embedding=8, hidden=(8, 16, 16, 16), depths=(1, 1, 1, 1)),
    text=TextEncoderSettings(words=320, width=16, layers=2, heads=2, inner=32, longest=96),
    detr=DetrSettings(
        side=SIDE,
        width=64,
        levels=3,
        heads=2,
        points=2,
        encoder_layers=1,
        decoder_layers=2,
        inner=32,
        queries=8,
        refine=True,
        dropout=0.0,
    ),
    fusion=FusionSettings(heads=2),
    vocabulary=NewWordSettings(half_range=32, class_words=4, spread=0.2),
    slots=SlotSettings(most_points=8, sine=8, inner=16, sizes=True, reading="mean"),
    llm_width=32,
)
STAGE = StageSettings(
    steps=3,
    images=2,
    rate=2e-3,
    lessons=LessonSettings(classes=(1, 3), points=(4, 8)),
    tokens=TokenLossSettings(box=5.0, giou=2.0),
    targets="shown",
    tuples=TupleLossSettings(cost_centre=5.0, spread=1.0, mean=5.0, giou=1.0),
    naming=0.5,
)
LORA = LoraSettings(rank=4, alpha=8, targets=("q_proj", "k_proj", "v_proj", "o_proj"))
TINY = replace(
    VisionLLMRecipe(),
    sizes=SIZES,
    warm_up=WarmUpSettings(
        backbone_steps=2, backbone_images=2, detector_steps=2, detector_images=2
    ),
    lora=LORA,
    class_texts=tuple("abcd"),
    first=STAGE,
    second=replace(
        STAGE,
        steps=6,
        backbone_share=0.0,
        lessons=replace(STAGE.lessons, mixture=Mixture(1.0, 1.0, 1.0, 1.0, 1.0)),
    ),
    scenes=4,
    examine_every=4,
    examined=2,
    validation_scenes=2,
    log_every=2,
    save_every=2,
)


class ColouredSquares:
    """Scenes of one or two squares, as a pack's scenes are asked for."""

    def names(self, split):
        return tuple(COLOURS)

    def batch(self, split, count, seed):
        return [self.scene(seed * 10 + index) for index in range(count)]

    def scene(self, number):
        draw = torch.Generator().manual_seed(number)
        count = 1 + number % 2
        order = torch.randperm(len(COLOURS), generator=draw).tolist()
        names = tuple(list(COLOURS)[row] for row in order[:count])
        pixels = torch.full((3, SIDE, SIDE), 0.5)
        masks = torch.zeros(count, SIDE, SIDE, dtype=torch.bool)
        boxes = []
        for row, name in enumerate(names):
            side = int(torch.randint(8, 13, (1,), generator=draw))
            left = 16 * row + int(torch.randint(0, 16 - side + 1, (1,), generator=draw))
            top = int(torch.randint(0, SIDE - side + 1, (1,), generator=draw))
            masks[row, top : top + side, left : left + side] = True
            pixels[:, masks[row]] = torch.tensor(COLOURS[name])[:, None]
            boxes.append((left, top, left + side, top + side))
        return NamedScene(
            pixels,
            names,
            torch.tensor(boxes, dtype=torch.float32),
            masks,
            tuple(f"the {name}" for name in names),
            " and ".join(names) + ".",
            ((f"is there {names[0]}?", ("yes",)), ("how many?", (str(count),))),
        )


def toy_llm():
    """A toy language model of its own, so that what happens to it is seen."""
    with toys.seeded():
        return toys.llm()
