"""Prompts for the small SAM: boxes, points and coarse masks of the glyphs of scenes."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from frostbench.packs.mini.scenes.scenes import Composition, Scenes
from frostbench.packs.mini.scenes.training_images import to_tensor
from frostbench.plugins.contract.boxes import box_of

KINDS = ("box", "point", "points", "box and mask", "mask")
SHARES = (0.35, 0.1, 0.1, 0.3, 0.15)
JITTER = 0.1  # standard deviation of a box's edges, by its width and height, as published
MOST_POINTS = 3
EACH = 2  # prompts for each glyph


@dataclass(frozen=True, eq=False)
class Prompts:
    """Prompts of one kind about one image, in its pixels; fields that the kind lacks are None.

    Boxes are left, top, right and bottom; labels are 1 inside the glyph and 0 outside; masks are
    logits of four times the embedding's side.
    """

    points: Float[Tensor, "n k 2"] | None = None
    labels: Float[Tensor, "n k"] | None = None
    boxes: Float[Tensor, "n 4"] | None = None
    masks: Float[Tensor, "n 1 r c"] | None = None

    def to(self, device: str) -> "Prompts":
        """The same on a device."""
        parts = (getattr(self, name) for name in self.__dataclass_fields__)
        return Prompts(*(None if part is None else part.to(device) for part in parts))


@dataclass(frozen=True, eq=False)
class MaskLesson:
    """An image, prompts about its glyphs, and the masks that they ask for."""

    pixels: Float[Tensor, "3 h w"]
    prompts: Prompts
    masks: Bool[Tensor, "n h w"]


class Stock:
    """Lessons by number from a stock of base-class scenes, the same for the same seed."""

    def __init__(self, scenes: Scenes, size: int, seed: int) -> None:
        self._size, self._seed = size, seed

        @cache
        def scene(number: int) -> Composition:
            return scenes.scene("base", seed, number)

        self._scene = scene

    def lessons(self, index: int, count: int) -> list[MaskLesson]:
        """The lessons of step number `index`."""
        draw = np.random.default_rng([self._seed, index])
        return [
            lesson(self._scene(int(number)), draw)
            for number in draw.integers(self._size, size=count)
        ]


def lesson(scene: Composition, draw: np.random.Generator) -> MaskLesson:
    """Prompts of one kind for the glyphs of a scene, mirrored and recoloured at random."""
    pixels = to_tensor(scene.pixels)[torch.from_numpy(draw.permutation(3))]
    masks = torch.stack([glyph.mask for glyph in scene.placed])
    axes = [axis for axis in (-1, -2) if draw.random() < 0.5]
    pixels, masks = pixels.flip(axes), masks.flip(axes).repeat_interleave(EACH, 0)
    kind = KINDS[draw.choice(len(KINDS), p=SHARES)]
    return MaskLesson(pixels, prompts_of(kind, masks, draw), masks)


def prompts_of(kind: str, masks: Bool[Tensor, "n h w"], draw: np.random.Generator) -> Prompts:
    """A prompt of a kind, one of `KINDS`, for each mask."""
    points = labels = boxes = coarse = None
    if "point" in kind:
        count = 1 if kind == "point" else int(draw.integers(2, MOST_POINTS + 1))
        drawn = [points_of(mask, count, draw) for mask in masks]
        points, labels = (torch.stack(parts) for parts in zip(*drawn, strict=True))
    if "box" in kind:
        tight = torch.tensor([box_of(mask) for mask in masks])
        boxes = torch.stack([jittered(box, masks.shape[-1], draw) for box in tight])
    if "mask" in kind:
        coarse = torch.stack([coarse_of(mask, draw) for mask in masks])[:, None]
    return Prompts(points, labels, boxes, coarse)


def jittered(box: Float[Tensor, " 4"], side: int, draw: np.random.Generator) -> Float[Tensor, " 4"]:
    """A box with each edge moved a little, inside the image."""
    size = (box[2:] - box[:2]).repeat(2)
    moved = box + JITTER * size * torch.from_numpy(draw.normal(size=4).clip(-2, 2)).float()
    return moved.clamp(0, side)


def points_of(
    mask: Bool[Tensor, "h w"], count: int, draw: np.random.Generator
) -> tuple[Float[Tensor, "k 2"], Float[Tensor, " k"]]:
    """Points (x, y) in a mask; those after the first may be outside of it, with label 0."""
    labels = [1.0, *(float(draw.random() < 0.5) for _ in range(count - 1))]
    points = []
    for label in labels:
        rows, columns = torch.nonzero(mask if label else ~mask, as_tuple=True)
        at = int(draw.integers(len(rows)))
        points.append((float(columns[at]), float(rows[at])))
    return torch.tensor(points), torch.tensor(labels)


def coarse_of(mask: Bool[Tensor, "h w"], draw: np.random.Generator) -> Float[Tensor, "h w"]:
    """A blurred and noisy mask, as logits: cells of 4 or 8 pixels, some of them wrong.

    A mask that fills no cell counts as filling those that it covers most. The image's size is
    that of the decoder's own masks where a cell of the embedding has 4 pixels.
    """
    cell = int(draw.choice((4, 8)))
    parts = functional.avg_pool2d(mask[None, None].float(), cell)
    parts = parts / parts.amax()
    noise = torch.from_numpy(draw.normal(size=tuple(parts.shape))).float()
    sharpness = draw.uniform(3, 8)
    logits = sharpness * (2 * parts - 1) + draw.uniform(0.5, 2) * noise
    return functional.interpolate(logits, mask.shape, mode="bilinear", align_corners=False)[0, 0]
