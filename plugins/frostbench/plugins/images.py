"""One picture as requests carry it."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image as Pillow
from PIL import UnidentifiedImageError
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Image:
    """A picture: `pixels` are RGB floats in [0, 1], `[3, height, width]`.

    `name` says where it comes from and is shown to people; identity is the digest of its pixels.
    """

    pixels: Float[Tensor, "3 h w"]
    name: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return int(self.pixels.shape[1]), int(self.pixels.shape[2])

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the size and of the pixels' bytes: the key under which tokens are kept."""
        data = self.pixels.detach().to("cpu", torch.float32).contiguous().numpy()
        return hashlib.sha256(str(data.shape).encode() + data.tobytes()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Image) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)


def read_image(path: Path) -> Image:
    """Read a picture file of any mode as RGB.

    Raises:
        ValueError: the file is missing, cut short, or no picture.
    """
    try:
        with Pillow.open(path) as file:
            array = np.asarray(file.convert("RGB"), dtype=np.float32) / 255
    except FileNotFoundError:
        raise ValueError(f"no picture at {path}.") from None
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise ValueError(f"cannot read the picture {path}: {error}.") from error
    return Image(torch.from_numpy(array).permute(2, 0, 1).contiguous(), name=path.name)


def to_pillow(pixels: Float[Tensor, "3 h w"]) -> Pillow.Image:
    """The picture with 8 bits a channel; values are clamped to [0, 1] and rounded."""
    array = (pixels.detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8)
    return Pillow.fromarray(array.permute(1, 2, 0).numpy())
