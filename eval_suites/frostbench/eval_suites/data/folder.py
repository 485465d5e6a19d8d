"""A folder of a user's images: any format, any size, nested or flat.

Images are shown as a viewer shows them, resized and cropped by one rule (`ImageSettings`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image as Pillow

from frostbench.eval_suites.data.opencv import interpolated
from frostbench.plugins.contract.datasets import ClusteredImage
from frostbench.plugins.contract.images import Image, read_as_seen, read_image, to_pillow
from frostbench.plugins.host.packs import files_below

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"})


@dataclass(frozen=True)
class ImageSettings:
    """How images of different sizes are brought to one size.

    Attributes:
        side: The shorter side becomes this many pixels (bilinear, as torchvision's `Resize` does
            it), and the centre square is cut out; 0 leaves images as they are.
        antialias: Whether resizing averages over all pixels. OpenCV's, with which V2L-Tokenizer (at
            256 and at 128) and VQ-GAN (at 256) are evaluated, does not: `antialias=false`.
        whole: Whether the whole image is kept beside the square, for methods that read it too:
            V2L-Tokenizer, whose published evaluation shows CLIP the image file.
    """

    side: int = 256
    antialias: bool = True
    whole: bool = False

    def __post_init__(self) -> None:
        if self.side < 0 or 0 < self.side < 8:
            raise ValueError(
                f"side is 8 pixels or more, or 0 for images as they are; not {self.side}."
            )


@dataclass(frozen=True)
class WholeImageSettings(ImageSettings):
    """Images as they are, unless a side is set: what is asked for may lie at the edge."""

    side: int = 0


@dataclass(frozen=True)
class Reading:
    """Image files below a folder, read by one rule.

    Attributes:
        folder: Where they are.
        settings: How they are brought to one size.
        cornered: Squares are cut at the bottom right.
        stored: Pixels are taken as they are stored, as in published evaluations; otherwise an image
            is turned as a viewer shows it.

    Raises:
        ValueError: there is no such folder.
    """

    folder: Path
    settings: ImageSettings
    cornered: bool = False
    stored: bool = False

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise ValueError(f"{self.folder} is no folder of images.")

    def image(self, name: str) -> Image:
        """The image in a file, by its path within the folder, resized and cropped.

        Raises:
            ValueError: it is missing, cut short, or no image.
        """
        return self.fitted(self.whole(name))

    def whole(self, name: str) -> Image:
        """The image in a file, as it is; see `image`."""
        read = read_image if self.stored else read_as_seen
        return Image(read(self.folder / name).pixels, name)

    def fitted(self, image: Image) -> Image:
        """An image, resized and cropped."""
        if not self.settings.side:
            return image
        square = squared(image, self.settings.side, self.cornered, self.settings.antialias)
        return replace(square, whole=image.pixels) if self.settings.whole else square


def squared(image: Image, side: int, cornered: bool = False, antialias: bool = True) -> Image:
    """A square of an image whose shorter side was made `side`: its centre, or its bottom right."""
    height, width = image.size
    shorter = min(height, width)
    # torchvision's own rounding: the longer side is cut off, the crop's corner is rounded.
    rows, columns = (side * height // shorter, side * width // shorter)
    if not antialias:
        # albumentations rounds the longer side.
        rows, columns = (round(side * length / shorter) for length in (height, width))
    file = to_pillow(image.pixels)
    if shorter != side:
        file = _resized(file, rows, columns, antialias)
    top, left = rows - side, columns - side
    if not cornered:
        # torchvision rounds the centre crop's corner, albumentations cuts it off.
        top, left = (round(edge / 2.0) if antialias else edge // 2 for edge in (top, left))
    file = file.crop((left, top, left + side, top + side))
    pixels = torch.frombuffer(bytearray(file.tobytes()), dtype=torch.uint8)
    return Image(pixels.view(side, side, 3).permute(2, 0, 1).contiguous().float() / 255, image.name)


def _resized(file: Pillow.Image, rows: int, columns: int, antialias: bool) -> Pillow.Image:
    if antialias:
        return file.resize((columns, rows), Pillow.Resampling.BILINEAR)
    levels = torch.from_numpy(np.array(file)).permute(2, 0, 1)
    return Pillow.fromarray(interpolated(levels, rows, columns).permute(1, 2, 0).numpy())


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """A key for the order in which people count: "2.png" before "10.png"."""
    return tuple(
        (0, int(part), "") if part.isdecimal() else (1, 0, part.casefold())
        for part in re.split(r"(\d+)", name)
        if part
    )


def images_below(folder: Path) -> tuple[str, ...]:
    """Paths of the image files below a folder, within it, in natural order; links are followed."""
    found = [
        path.relative_to(folder).as_posix()
        for path in files_below(folder)
        if path.suffix.lower() in SUFFIXES
    ]
    # Hidden files and folders: thumbnails, trash, unfinished copies.
    found = [name for name in found if not any(part[0] == "." for part in Path(name).parts)]
    return tuple(sorted(found, key=lambda name: (natural(name), name)))


class ListedImages:
    """Image files in a fixed order; each is a cluster of its own."""

    def __init__(self, reading: Reading, names: Sequence[str]) -> None:
        self._reading, self._names = reading, names

    @property
    def size(self) -> int:
        """How many images there are."""
        return len(self._names)

    def get(self, seed: int, index: int) -> ClusteredImage:
        """Image `index`, whatever the seed.

        Raises:
            ValueError: it cannot be read; the message names the file.
        """
        name = self._names[index]
        return ClusteredImage(self._reading.image(name), name)

    def wider(self, margin: int) -> "ListedImages":
        """The same images with `margin` more pixels on each side, cut from a larger resize.

        Raises:
            ValueError: images are left as they are, so that there is nothing around them.
        """
        settings = self._cropped("have nothing around them")
        wider = replace(settings, side=settings.side + 2 * margin)
        return ListedImages(replace(self._reading, settings=wider), self._names)

    def cornered(self) -> "ListedImages":
        """The same images, each square cut out at the bottom right instead of the centre.

        Raises:
            ValueError: images are left as they are.
        """
        self._cropped("have no other place to be cut from")
        return ListedImages(replace(self._reading, cornered=True), self._names)

    def _cropped(self, otherwise: str) -> ImageSettings:
        settings = self._reading.settings
        if not settings.side:
            raise ValueError(f"images that are left as they are {otherwise}; set a side")
        return settings


class FolderImages(ListedImages):
    """The images below a folder, in natural order.

    Raises:
        ValueError: the folder holds no image.
    """

    settings = ImageSettings

    def __init__(self, folder: Path, settings: ImageSettings | None = None) -> None:
        reading = Reading(folder, settings or ImageSettings())
        super().__init__(reading, images_below(folder))
        if not self.size:
            raise ValueError(
                f"{folder} holds no image; read are {', '.join(sorted(SUFFIXES))}, in any folder "
                "below it."
            )
