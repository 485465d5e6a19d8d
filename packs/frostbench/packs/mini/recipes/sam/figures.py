"""How well the small SAM cuts out glyphs, on scenes and classes that it has not seen."""

from collections import defaultdict

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from frostbench.packs.mini.recipes.sam.prompts import Prompts, jittered, prompts_of
from frostbench.packs.mini.scenes.glyphs import Split
from frostbench.packs.mini.scenes.scenes import Scenes
from frostbench.packs.mini.scenes.training_images import to_tensor
from frostbench.plugins.backbones.sam import Sam
from frostbench.plugins.contract.boxes import box_of
from frostbench.plugins.contract.images import Image

SEED = 1_000_003  # a seed that no training uses


def measure(sam: Sam, scenes: Scenes, count: int) -> dict[str, float]:
    """Mean intersection over union with the glyphs' masks, over `count` scenes of each split.

    - "from the box": of the mask that SAM makes from the tight box; "the box itself": of the filled
      box, without a SAM.
    - "from a rough box": its edges moved as in training; "the rough box itself".
    - "from a point": one point in the glyph; "from a coarse mask", with its rough box: as in
      training, cells of 4 or 8 pixels with noise; "the coarse mask itself": where it is above 0.
    """
    figures: dict[str, float] = {}
    splits: tuple[Split, ...] = ("validation", "novel")
    for split in splits:
        draw = np.random.default_rng(0)
        overlaps: dict[str, list[Tensor]] = defaultdict(list)
        for number in range(count):
            scene = scenes.scene(split, SEED, number)
            masks = torch.stack([glyph.mask for glyph in scene.placed])
            image = Image(to_tensor(scene.pixels))
            tight = torch.tensor([box_of(mask) for mask in masks])
            rough = torch.stack([jittered(box, masks.shape[-1], draw) for box in tight])
            for name, boxes in (("box", tight), ("rough box", rough)):
                overlaps[f"from the {name}"].append(
                    overlap(sam.masks_from_boxes(image, boxes), masks)
                )
                overlaps[f"the {name} itself"].append(overlap(filled(boxes, masks), masks))
            coarse = prompts_of("box and mask", masks, draw)
            assert coarse.masks is not None
            overlaps["from a coarse mask"].append(overlap(cut(sam, image, coarse), masks))
            overlaps["the coarse mask itself"].append(overlap(coarse.masks[:, 0] > 0, masks))
            point = prompts_of("point", masks, draw)
            overlaps["from a point"].append(overlap(cut(sam, image, point), masks))
        figures |= {
            f"{name} [{split}]": float(torch.cat(parts).mean()) for name, parts in overlaps.items()
        }
    return figures


@torch.no_grad()
def cut(sam: Sam, image: Image, prompts: Prompts) -> Bool[Tensor, "n h w"]:
    """The decoder's first mask for each prompt about an image of the encoder's own size."""
    points = None
    if prompts.points is not None:
        points = (prompts.points, prompts.labels)
    encoder = sam.model.prompt_encoder
    sparse, dense = encoder(points=points, boxes=prompts.boxes, masks=prompts.masks)
    logits, _ = sam.model.mask_decoder(
        image_embeddings=sam.embed(image)[None],
        image_pe=encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        multimask_output=False,
    )
    whole = sam.model.postprocess_masks(logits, image.size, image.size)
    found: Tensor = whole[:, 0] > 0
    return found


def filled(boxes: Float[Tensor, "n 4"], like: Bool[Tensor, "n h w"]) -> Bool[Tensor, "n h w"]:
    """Boxes as masks: pixels whose centre is inside."""
    rows = torch.arange(like.shape[1])[None, :, None] + 0.5
    columns = torch.arange(like.shape[2])[None, None] + 0.5
    left, top, right, bottom = boxes[:, :, None, None].unbind(1)
    return (columns > left) & (columns < right) & (rows > top) & (rows < bottom)


def overlap(found: Bool[Tensor, "n h w"], masks: Bool[Tensor, "n h w"]) -> Float[Tensor, " n"]:
    """Intersection over union of each pair; no mask is empty."""
    return (found & masks).sum((1, 2)) / (found | masks).sum((1, 2))
