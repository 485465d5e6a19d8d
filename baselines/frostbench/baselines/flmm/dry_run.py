"""What a training of F-LMM's heads would cost, counted on networks without numbers."""

from dataclasses import replace

import torch
from torch import Tensor

from frostbench.baselines.flmm.examples import PhraseExample
from frostbench.baselines.flmm.model import Heads, HeadSettings
from frostbench.baselines.flmm.recipe import read_settings
from frostbench.baselines.flmm.training import HeadTraining
from frostbench.baselines.flmm.unet import UNetSettings
from frostbench.plugins.backbones.numberless import numberless
from frostbench.plugins.backbones.published_sizes import llava_7b
from frostbench.plugins.backbones.sam_sizes import VIT_L, build_sam
from frostbench.plugins.backbones.views import View
from frostbench.plugins.contract.recipe import DryRun, Workshop
from frostbench.plugins.parts.training.counting import Phase, counted
from frostbench.plugins.parts.training.processes import Processes, cut

SIDE = 336  # pixels that LLaVA-1.5 reads, in cells of 14
CELLS = 24
PHRASES, TOKENS, TEXT = 4, 4, 64
SIZE = 480, 640  # of an image of COCO
NOTES = (
    "The multimodal model is LLaVA-1.5-7B in bfloat16 and SAM a ViT-L, whatever the pack has; an "
    "image of 640 x 480 pixels is counted with 4 phrases of 4 tokens in a text of 64.",
)


def plan(workshop: Workshop) -> DryRun:
    """A dry run of the heads, and of the frozen models' passes in every step.

    Raises:
        ValueError: a setting is unknown, or the batch cannot be shared.
    """
    settings = read_settings(workshop)
    processes = Processes(replace(workshop, device="cpu"))
    images = len(cut(range(settings.training.images), 0, processes.parts))
    with numberless():
        lmm, sam = llava_7b(), build_sam(VIT_L).eval()
        sam.requires_grad_(False)
        text = lmm.config.text_config
        channels = text.num_hidden_layers * text.num_attention_heads
        unet = UNetSettings(channels, settings.widths, settings.side)
        heads = Heads(
            HeadSettings(unet, text.num_hidden_layers, text.hidden_size, settings.merge), sam
        )
        view = View(0, CELLS, CELLS, CELLS, (0.0, 0.0, float(SIDE), float(SIDE)))
        examples = [_example(heads, view) for _ in range(images)]
        training = HeadTraining(heads, lambda step: examples, settings.training, processes)
        pixels = torch.empty(images, 3, SIDE, SIDE, dtype=torch.bfloat16)
        square = torch.empty(images, 3, VIT_L.image_size, VIT_L.image_size)
        told = torch.empty(images, CELLS**2 + TEXT, text.hidden_size, dtype=torch.bfloat16)

        def attend() -> None:
            with torch.no_grad():
                seen = lmm.model.vision_tower(pixels, output_hidden_states=True)
                lmm.model.multi_modal_projector(seen.hidden_states[-2][:, 1:])
                lmm.model.language_model(inputs_embeds=told, use_cache=False)

        def embed() -> None:
            with torch.no_grad():
                sam.image_encoder(square)

        def lose() -> Tensor:
            return training.lose(examples, float(images * PHRASES))[0]

        return counted(
            workshop,
            settings.training.steps,
            settings.training.images,
            {
                "multimodal model": Phase(attend),
                "SAM's image encoder": Phase(embed),
                "heads": Phase(lose),
            },
            trained={"heads": heads},
            frozen={"lmm": lmm, "sam": sam.image_encoder},
            notes=NOTES,
        )


def _example(heads: Heads, view: View) -> PhraseExample:
    """An image with its phrases, without numbers."""
    wanted = heads.settings
    cells = VIT_L.image_size // VIT_L.patch
    return PhraseExample(
        torch.empty(PHRASES, wanted.unet.channels, view.rows * view.columns),
        torch.empty(wanted.layers, PHRASES * TOKENS, wanted.width),
        (TOKENS,) * PHRASES,
        torch.empty(VIT_L.prompt_width, cells, cells),
        torch.zeros(PHRASES, *SIZE, dtype=torch.bool),
        (view,),
    )
