"""Glyphs: classes of artwork with exact alpha, drawn at any place, size and angle."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Split: TypeAlias = Literal["base", "validation", "novel"]
Pixels: TypeAlias = NDArray[np.uint8]

_LEVELS = (112, 80, 56, 40, 28, 20, 14)  # sizes in pixels, each about 0.7 of the one before


@dataclass(frozen=True)
class Glyph:
    """A class of artwork. Glyphs of one `family` look or are called alike, and share a split."""

    name: str
    split: Split
    family: int
    code: str  # the code point, "U+1F34E"


@dataclass(frozen=True)
class Pose:
    """Where a glyph lies: its centre and size in pixels, its angle in degrees, anticlockwise."""

    x: float
    y: float
    size: float
    angle: float = 0.0


class Glyphs:
    """The glyphs of a data folder; artwork is decoded when it is first drawn.

    Attributes:
        cell: The longer side of the artwork in pixels.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "glyphs.json"
        if not path.exists():
            raise FileNotFoundError(
                f"no glyphs in {folder}; the recipe 'data' of `frostbench train` writes them."
            )
        described = json.loads(path.read_bytes())
        self.cell, self._columns = described["cell"], described["columns"]
        self._path = folder / "glyphs.webp"
        self._sheet: Image.Image | None = None
        self._levels: dict[str, tuple[Image.Image, ...]] = {}
        self.all = tuple(
            Glyph(entry["name"], entry["split"], entry["family"], entry["code"])
            for entry in described["glyphs"]
        )
        self._index = {glyph.name: index for index, glyph in enumerate(self.all)}

    def names(self, split: Split) -> tuple[str, ...]:
        """The classes of a split, in the order of their code points."""
        return tuple(glyph.name for glyph in self.all if glyph.split == split)

    def get(self, name: str) -> Glyph:
        """The class called `name`.

        Raises:
            LookupError: there is none.
        """
        if name not in self._index:
            raise LookupError(
                f"no glyph is called {name!r}; there are {len(self.all)}, "
                f"from {self.all[0].name!r} to {self.all[-1].name!r}."
            )
        return self.all[self._index[name]]

    def draw(self, name: str, pose: Pose, side: int) -> Pixels:
        """The glyph alone on a square canvas: `[side, side, 4]`, premultiplied RGBA."""
        levels = self._levels.get(name) or self._decode(name)
        level = next((x for x in reversed(levels) if x.width - 2 >= pose.size), levels[0])
        scale = (level.width - 2) / pose.size
        turn = np.deg2rad(pose.angle)
        cos, sin = scale * np.cos(turn), scale * np.sin(turn)
        middle = level.width / 2
        # Pillow asks, for each pixel of the canvas, where in the artwork it comes from.
        matrix = (
            *(cos, -sin, middle - cos * pose.x + sin * pose.y),
            *(sin, cos, middle - sin * pose.x - cos * pose.y),
        )
        size, method = (side, side), Image.Transform.AFFINE
        drawn = level.transform(size, method, matrix, Image.Resampling.BILINEAR)
        return np.asarray(drawn)

    def _decode(self, name: str) -> tuple[Image.Image, ...]:
        """The artwork at several sizes, premultiplied, each with a transparent rim of one pixel.

        Without the rim, edges that touch the cell's border would come out jagged.
        """
        self.get(name)
        if self._sheet is None:
            self._sheet = Image.open(self._path).convert("RGBA")
        row, column = divmod(self._index[name], self._columns)
        box = (column * self.cell, row * self.cell)
        cell = self._sheet.crop((*box, box[0] + self.cell, box[1] + self.cell)).convert("RGBa")
        sizes = (self.cell, *(size for size in _LEVELS if size < self.cell))
        levels = []
        for size in sizes:
            level = Image.new("RGBa", (size + 2, size + 2))
            level.paste(cell.resize((size, size), Image.Resampling.LANCZOS), (1, 1))
            levels.append(level)
        self._levels[name] = tuple(levels)
        return self._levels[name]


def compose(canvas: Pixels, layer: Pixels) -> Pixels:
    """A premultiplied RGBA layer over an opaque RGB canvas of the same size, rounded."""
    rest = 255 - layer[..., 3:].astype(np.uint16)
    below = canvas * rest
    return (layer[..., :3] + (below + 127) // 255).clip(max=255).astype(np.uint8)
