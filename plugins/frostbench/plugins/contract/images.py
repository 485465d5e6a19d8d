"""One image as requests carry it."""

import hashlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import ExifTags, UnidentifiedImageError
from PIL import Image as Pillow
from torch import Tensor

MOST_PIXELS = 1 << 26  # 8192 × 8192; as floats 0.8 GB
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF", "TGA")
"""Formats that hold pixels; Pillow hands others, such as PostScript, to programs that run them."""

_SIXTEEN_IN_32 = ("PNG", "PPM")  # formats whose 16 bits Pillow reads as 32-bit integers
_TURNS = {
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_270,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_90,
}
"""How each EXIF orientation turns an image."""


@dataclass(frozen=True, eq=False)
class Image:
    """An image: `pixels` are RGB floats in [0, 1], `[3, height, width]`.

    `name` says where it comes from and is shown to people; identity is the digest of its pixels.
    `whole` is the image that `pixels` were resized and cropped from, where the data set keeps it,
    for methods that also read that (`frostbench.plugins.contract.method.ReadsWhole`).
    """

    pixels: Float[Tensor, "3 h w"]
    name: str = ""
    whole: Float[Tensor, "3 rows columns"] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return int(self.pixels.shape[1]), int(self.pixels.shape[2])

    @cached_property
    def digest(self) -> str:
        """SHA-256 of sizes and of the pixels' bytes: the key under which tokens are kept."""
        digest = hashlib.sha256()
        for pixels in (self.pixels, self.whole):
            if pixels is not None:
                data = pixels.detach().to("cpu", torch.float32).contiguous().numpy()
                digest.update(str(data.shape).encode() + data.tobytes())
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Image) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)


class UnreadableError(ValueError):
    """An image cannot be read; the message names the file. Other samples may be sound."""


def open_image(path: Path) -> Pillow.Image:
    """An image file of one of `FORMATS`, not yet loaded, of a plausible size.

    Raises:
        ValueError: it has more pixels than `MOST_PIXELS`.
        UnidentifiedImageError: it is of no such format.
    """
    Pillow.init()
    file = Pillow.open(path, formats=[name for name in FORMATS if name in Pillow.OPEN])
    check_size(file)
    return file


def check_size(file: Pillow.Image) -> None:
    """Check that an image that was opened, and not yet loaded, is of a plausible size.

    Raises:
        ValueError: it has more pixels than `MOST_PIXELS`.
    """
    if file.width * file.height > MOST_PIXELS:
        raise ValueError(
            f"{file.width} × {file.height} pixels are more than the {MOST_PIXELS} of the largest "
            "image that is read"
        )


def as_batch(
    images: Sequence[Image], fill: float = 0.0
) -> tuple[Float[Tensor, "b 3 h w"], Int[Tensor, "b 2"]]:
    """Images as one batch, padded at the bottom and at the right, and their sizes."""
    sizes = torch.tensor([image.size for image in images])
    height, width = sizes.amax(0).tolist()
    batch = torch.full((len(images), 3, height, width), fill)
    for row, image in zip(batch, images, strict=True):
        row[:, : image.size[0], : image.size[1]] = image.pixels
    return batch, sizes


def read_image(path: Path) -> Image:
    """Read an image file of any mode as RGB, with its pixels as they are stored.

    Raises:
        UnreadableError: the file is missing, cut short, or no image.
    """
    return _read(path, lambda file: _in_8_bits(file).convert("RGB"))


def read_as_seen(path: Path) -> Image:
    """Read an image file as a viewer shows it: turned as its camera says, on white.

    Raises:
        UnreadableError: the file is missing, cut short, or no image.
    """
    return _read(path, _on_white)


def _on_white(file: Pillow.Image) -> Pillow.Image:
    image = _in_8_bits(_turned(file))
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    white = Pillow.new("RGBA", image.size, "white")
    return Pillow.alpha_composite(white, image).convert("RGB")


def _turned(image: Pillow.Image) -> Pillow.Image:
    """The image turned as its camera was held, where its EXIF says so and can be read."""
    try:
        turn = _TURNS.get(image.getexif()[ExifTags.Base.Orientation])
    except Exception:  # no EXIF, or one so broken that Pillow's reader fails in any way
        return image
    return image if turn is None else image.transpose(turn)


def _in_8_bits(file: Pillow.Image) -> Pillow.Image:
    """The image with 8 bits a channel: Pillow's own conversion cuts larger numbers off.

    Of 16 bits 65535 is white, and of floats 1.

    Raises:
        ValueError: it is not known which of its numbers is white.
    """
    levels = np.asarray(file)
    if file.mode == "F":
        low, high = float(levels.min()), float(levels.max())
        if not 0 <= low <= high <= 1:
            raise ValueError(
                f"its floats are {low:g} to {high:g}, and are read from 0, black, to 1, white"
            )
        return Pillow.fromarray((levels * 255).round().astype(np.uint8))
    if file.mode.startswith("I;16") or (file.mode == "I" and file.format in _SIXTEEN_IN_32):
        return Pillow.fromarray((levels / 257).round().astype(np.uint8))
    if file.mode == "I":
        raise ValueError("its whole numbers of 32 bits do not say which is white; 16 bits do")
    return file


def _read(path: Path, as_rgb: Callable[[Pillow.Image], Pillow.Image]) -> Image:
    if path.exists() and not path.is_file():
        raise UnreadableError(f"cannot read the image {path}: it is a folder, a pipe or a device.")
    try:
        # Pillow's warnings are meant for programmers.
        with warnings.catch_warnings(action="ignore"), open_image(path) as file:
            array = np.asarray(as_rgb(file), dtype=np.float32) / 255
    except FileNotFoundError:
        raise UnreadableError(f"no image at {path}.") from None
    except UnidentifiedImageError:
        raise UnreadableError(f"cannot read the image {path}: it is no image file.") from None
    except Exception as error:  # whatever a damaged file makes of Pillow's readers
        raise UnreadableError(f"cannot read the image {path}: {error}.") from error
    return Image(torch.from_numpy(array).permute(2, 0, 1).contiguous(), name=path.name)


def to_pillow(pixels: Float[Tensor, "3 h w"]) -> Pillow.Image:
    """The image with 8 bits a channel; values are clamped to [0, 1] and rounded."""
    array = (pixels.detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8)
    return Pillow.fromarray(array.permute(1, 2, 0).numpy())
