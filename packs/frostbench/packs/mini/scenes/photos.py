"""Photographs: random crops at several scales, split by photograph."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from PIL import Image

from frostbench.packs.mini.scenes.glyphs import Pixels

PhotoSplit: TypeAlias = Literal["train", "validation", "test"]

_STEP = 2**0.5  # ratio between the scales at which a photograph is cropped


@dataclass(frozen=True, eq=False)
class Photo:
    """A photograph, for crops of `side` pixels.

    Raises:
        ValueError: it is smaller than a crop.
    """

    name: str
    split: PhotoSplit
    file: Path
    side: int

    def __post_init__(self) -> None:
        with Image.open(self.file) as image:
            if min(image.size) < self.side:
                raise ValueError(
                    f"crops of {self.side} pixels are asked of {self.file}, which is {image.size}."
                )

    @cached_property
    def levels(self) -> tuple[Pixels, ...]:
        """The photograph and its smaller copies, the smallest with a shorter side of one crop."""
        image = Image.open(self.file).convert("RGB")
        shorter = min(image.size)
        count = int(np.log(shorter / self.side) / np.log(_STEP)) + 1
        sides = [max(self.side, shorter / _STEP**level) for level in range(count)]
        if sides[-1] > self.side * 1.1:
            sides.append(self.side)
        levels = []
        for each in sides:
            scale = each / shorter
            size = (
                max(self.side, round(image.width * scale)),
                max(self.side, round(image.height * scale)),
            )
            levels.append(np.asarray(image.resize(size, Image.Resampling.LANCZOS)))
        return tuple(levels)


class Photos:
    """The photographs of a data folder, ready for square crops of `side` pixels."""

    def __init__(self, folder: Path, side: int) -> None:
        path = folder / "sources.json"
        if not path.exists():
            raise FileNotFoundError(
                f"no photographs in {folder}; the recipe 'data' of `frostbench train` writes them."
            )
        described = json.loads(path.read_bytes())["photographs"]
        self.side = side
        self.all = tuple(
            Photo(
                entry["name"],
                entry["split"],
                folder / "photos" / f"{entry['name']}.webp",
                side,
            )
            for entry in described
        )
        self._split: dict[PhotoSplit, tuple[Photo, ...]] = {
            split: tuple(photo for photo in self.all if photo.split == split)
            for split in ("train", "validation", "test")
        }

    def of(self, split: PhotoSplit) -> tuple[Photo, ...]:
        """The photographs of a split."""
        return self._split[split]

    def choose(self, split: PhotoSplit, draw: np.random.Generator) -> Photo:
        """A random photograph of a split."""
        photos = self.of(split)
        return photos[draw.integers(len(photos))]

    def crop(self, photo: Photo, draw: np.random.Generator) -> Pixels:
        """A crop `[side, side, 3]` at a random scale and place.

        It is mirrored every other time. Training crops also get other colours every other time,
        because there are few photographs: channels are permuted and scaled.
        """
        level = photo.levels[draw.integers(len(photo.levels))]
        top = draw.integers(level.shape[0] - self.side + 1)
        left = draw.integers(level.shape[1] - self.side + 1)
        crop = level[top : top + self.side, left : left + self.side]
        mirror, colour = draw.random(2) < 0.5
        if mirror:
            crop = crop[:, ::-1]
        if colour and photo.split == "train":
            gains = draw.uniform(0.6, 1.3, size=3)
            crop = (crop[..., draw.permutation(3)] * gains).clip(0, 255).astype(np.uint8)
        return crop
