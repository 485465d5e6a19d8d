"""Glyph scenes: images in which everything is known, since they are composed here.

A scene is made from a split, a seed and a number, and is the same whenever it is made. Glyphs of a
split lie on photographs of the same split, so that nothing in a test image was trained on. On
request they lie on photographs of another split, so that glyphs that were trained on can be tested
too.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from frostbench.packs.mini.scenes.glyphs import Glyphs, Pixels, Pose, Split, compose
from frostbench.packs.mini.scenes.photos import Photos, PhotoSplit
from frostbench.packs.mini.scenes.wording import (
    PLACES,
    caption_of,
    place,
    questions_about,
)
from frostbench.plugins.contract.boxes import box_of
from frostbench.plugins.contract.scenes import Placed, Question
from frostbench.plugins.host.settings import read_settings
from frostbench.plugins.host.texts import read_json

PHOTO_SPLIT: dict[Split, PhotoSplit] = {
    "base": "train",
    "validation": "validation",
    "novel": "test",
}
STORED = "scenes.json"
"""The file of a data folder with those of its `SceneSettings` that are no defaults."""


@dataclass(frozen=True)
class SceneSettings:
    """Sizes are parts of the image's side."""

    side: int = 64  # pixels
    most: int = 4  # glyphs in a scene
    sizes: tuple[tuple[float, float], ...] = ((0.45, 0.9), (0.36, 0.55), (0.3, 0.45), (0.28, 0.4))
    again: float = 0.2  # chance that a further glyph repeats a class already there
    visible: float = 0.6  # least share of each glyph's pixels that others leave visible
    angle: float = 15.0  # degrees, either way
    portrait_size: tuple[float, float] = (0.6, 0.95)
    portrait_angle: float = 20.0
    plain: float = 0.15  # chance of a colour gradient as background

    @classmethod
    def of(cls, data: Path) -> "SceneSettings":
        """Those of a pack's data folder, which its file `scenes.json` names; the others default.

        Raises:
            ValueError: the file is no JSON, or names a setting that there is not.
        """
        path = data / STORED
        return read_settings(cls, read_json(path), str(path)) if path.is_file() else cls()


@dataclass(frozen=True, eq=False)
class Composition:
    """An image `[side, side, 3]` with its glyphs, caption and questions, all exact."""

    id: str
    pixels: Pixels
    placed: tuple[Placed, ...]
    caption: str
    questions: tuple[Question, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The classes, in the order of the caption."""
        return tuple(glyph.name for glyph in self.placed)


@dataclass(frozen=True, eq=False)
class Crop:
    """A part of a photograph: `[side, side, 3]`."""

    photo: str
    pixels: Pixels


class Scenes:
    """Makes scenes, portraits and photo crops from a data folder, with its own settings or others.

    `photos` names the split of the photographs where it is not the glyphs'. These scenes are drawn
    anew: none equals a scene of the glyphs' own split but for its background.
    """

    def __init__(
        self,
        folder: Path,
        settings: SceneSettings | None = None,
        photos: PhotoSplit | None = None,
    ) -> None:
        self.settings = settings or SceneSettings.of(folder)
        self._on = photos
        self.glyphs = Glyphs(folder)
        self.photos = Photos(folder, self.settings.side)
        self._names: dict[Split, tuple[str, ...]] = {
            split: self.glyphs.names(split) for split in PHOTO_SPLIT
        }

    def scene(self, split: Split, seed: int, index: int, count: int | None = None) -> Composition:
        """Scene number `index` of a split and seed, with `count` glyphs (random if None)."""
        draw = _random("scene", self._key(split), seed, index)
        count = count or int(draw.integers(1, self.settings.most + 1))
        name = f"scene/{self._key(split)}/{seed}/{index}"
        return self._draw(name, split, lambda: self._choose(split, count, draw), draw)

    def scene_of(
        self, names: Sequence[str], places: Sequence[str], seed: int, index: int
    ) -> Composition:
        """Scene number `index` of a seed that shows these classes at these places, in order.

        Raises:
            LookupError: there is no such class.
            ValueError: there are none or too many, they are of several splits, there is no such
                place, or two are to lie at the same one.
        """
        splits = {self.glyphs.get(name).split for name in names}
        if len(splits) != 1 or len(names) > self.settings.most:
            raise ValueError(
                f"a scene shows 1 to {self.settings.most} glyphs of one split; asked were "
                f"{len(names)}, of {', '.join(sorted(splits)) or 'no split'}."
            )
        if len({*places}) < len(names) or len(places) != len(names) or {*places} - {*PLACES}:
            raise ValueError(
                f"{len(names)} glyphs need as many places, no two alike, among "
                f"{', '.join(PLACES)}; asked were {', '.join(places) or 'none'}."
            )
        key = "+".join(f"{name} {where}" for name, where in zip(names, places, strict=True))
        split = splits.pop()
        lies = () if self._on is None else (self._on,)
        draw = _random("scene of", *lies, key, seed, index)
        name = f"scene/{self._key(split)}/{key}/{seed}/{index}"
        return self._draw(name, split, lambda: list(names), draw, list(places))

    def _draw(
        self,
        name: str,
        split: Split,
        choose: Callable[[], list[str]],
        draw: np.random.Generator,
        wanted: list[str] | None = None,
    ) -> Composition:
        """A scene of the classes that `choose` gives, at the `wanted` places, if any.

        Scenes that do not fit are drawn anew, classes included.
        """
        while True:
            names = choose()
            count = len(names)
            poses = self._poses(count, draw, wanted)
            pixels, labels, complete = self._lay(names, poses, split, draw)
            masks = [torch.from_numpy(labels == number) for number in range(count)]
            seen = [
                int(mask.sum()) / max(1, whole) for mask, whole in zip(masks, complete, strict=True)
            ]
            boxes = [box_of(mask) for mask in masks if mask.any()]
            if len(boxes) < count or min(seen) < self.settings.visible:
                continue
            places = [place(box, self.settings.side) for box in boxes]
            if wanted and places != wanted:
                continue
            if len(set(zip(names, places, strict=True))) == count:
                break
        caption, spans = caption_of(names, places)
        placed = tuple(
            Placed(glyph, where, mask, box, *span)
            for glyph, where, mask, box, span in zip(
                names, places, masks, boxes, spans, strict=True
            )
        )
        absent = self._absent(split, names, draw)
        questions = questions_about(list(zip(names, places, strict=True)), absent)
        return Composition(name, pixels, placed, caption, questions)

    def portrait(self, name: str, seed: int) -> Pixels:
        """One large glyph, at a random place, size, angle and background: `[side, side, 3]`."""
        sizes, angle = self.settings.portrait_size, self.settings.portrait_angle
        return self._alone(name, sizes, angle, _random("portrait", name, seed))

    def single(self, name: str, seed: int) -> Pixels:
        """As `portrait`, but of the sizes and angles of a scene of one glyph."""
        sizes, angle = self.settings.sizes[0], self.settings.angle
        return self._alone(name, sizes, angle, _random("single", name, seed))

    def photo_crop(self, split: Split, seed: int, index: int) -> Crop:
        """A crop of one of the split's photographs, without glyphs."""
        draw = _random("photo", split, seed, index)
        photo = self.photos.choose(PHOTO_SPLIT[split], draw)
        return Crop(photo.name, self.photos.crop(photo, draw))

    def photo_in_turn(self, split: Split, seed: int, index: int) -> Crop:
        """A crop without glyphs, of each of the split's photographs in turn.

        As many crops as there are photographs show them all, in an order drawn from the seed: so
        crops are independent observations for as long as possible.
        """
        photos = self.photos.of(PHOTO_SPLIT[split])
        order = _random("photo order", split, seed).permutation(len(photos))
        photo = photos[order[index % len(photos)]]
        return Crop(photo.name, self.photos.crop(photo, _random("photo", split, seed, index)))

    def _key(self, split: Split) -> str:
        return split if self._on is None else f"{split} on {self._on}"

    def _alone(
        self, name: str, sizes: tuple[float, float], angle: float, draw: np.random.Generator
    ) -> Pixels:
        side, split = self.settings.side, self.glyphs.get(name).split
        size = side * draw.uniform(*sizes)
        x, y = draw.uniform(size / 2, side - size / 2, size=2)
        pose = Pose(x, y, size, draw.uniform(-angle, angle))
        return compose(self._background(split, draw), self.glyphs.draw(name, pose, side))

    def _choose(self, split: Split, count: int, draw: np.random.Generator) -> list[str]:
        names: list[str] = []
        for _ in range(count):
            if names and draw.random() < self.settings.again:
                names.append(names[draw.integers(len(names))])
            else:
                names.append(self._names[split][draw.integers(len(self._names[split]))])
        return names

    def _absent(self, split: Split, names: list[str], draw: np.random.Generator) -> str:
        while (name := self._names[split][draw.integers(len(self._names[split]))]) in names:
            pass
        return name

    def _poses(
        self, count: int, draw: np.random.Generator, wanted: list[str] | None = None
    ) -> list[Pose]:
        """Random poses inside the image, at the `wanted` places, if any.

        Later glyphs avoid earlier ones where there is room.
        """
        side = self.settings.side
        poses: list[Pose] = []
        while len(poses) < count:
            size = side * draw.uniform(*self.settings.sizes[count - 1])
            angle = draw.uniform(-self.settings.angle, self.settings.angle)
            places = draw.uniform(size / 2, side - size / 2, size=(8, 2))
            if wanted:
                places = np.array(
                    [x for x in places if place((*x, *x), side) == wanted[len(poses)]]
                )
            if not len(places):
                continue
            gaps = [
                min((max(abs(x - p.x), abs(y - p.y)) for p in poses), default=0.0)
                for x, y in places
            ]
            x, y = places[int(np.argmax(gaps)) if poses else 0]
            poses.append(Pose(float(x), float(y), size, angle))
        return poses

    def _lay(
        self, names: list[str], poses: list[Pose], split: Split, draw: np.random.Generator
    ) -> tuple[Pixels, NDArray[np.int8], list[int]]:
        """The image, which glyph each pixel shows (-1: none), each glyph's count of pixels."""
        side = self.settings.side
        pixels = self._background(split, draw)
        labels = np.full((side, side), -1, dtype=np.int8)
        complete = []
        for number, (name, pose) in enumerate(zip(names, poses, strict=True)):
            layer = self.glyphs.draw(name, pose, side)
            pixels = compose(pixels, layer)
            solid = layer[..., 3] >= 128
            labels[solid] = number
            complete.append(int(solid.sum()))
        return pixels, labels, complete

    def _background(self, split: Split, draw: np.random.Generator) -> Pixels:
        if draw.random() >= self.settings.plain:
            photo = self.photos.choose(self._on or PHOTO_SPLIT[split], draw)
            return self.photos.crop(photo, draw)
        colours = draw.uniform(0, 255, size=(2, 3))
        turn = draw.uniform(0, 2 * np.pi)
        ramp = np.linspace(-0.5, 0.5, self.settings.side)
        slope = ramp[None, :, None] * np.cos(turn) + ramp[:, None, None] * np.sin(turn)
        weight = slope / (abs(np.cos(turn)) + abs(np.sin(turn))) + 0.5
        mixed = colours[0] * (1 - weight) + colours[1] * weight
        pixels: Pixels = mixed.clip(0, 255).astype(np.uint8)
        return pixels


def _random(*key: str | int) -> np.random.Generator:
    """A generator of its own for each key, the same on every machine."""
    words = [zlib.crc32(part.encode()) if isinstance(part, str) else part for part in key]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))
