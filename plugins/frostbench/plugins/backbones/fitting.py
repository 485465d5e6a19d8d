"""Where image processors of transformers put an image, and how F-LMM fits it into a square.

Each step is followed along one axis: which stretch of the image the pixels at hand show.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, Float
from PIL import Image as Pillow
from torch import Tensor

from frostbench.plugins.contract.images import Image, to_pillow
from frostbench.plugins.contract.requests import Box

EDGE = 0.05  # share of an image at each border where padding may bleed in
LANDED = 0.9  # share of the other pixels that must show the expected place


@dataclass(frozen=True)
class Axis:
    """`size` pixels that show an image from `start` to `stop`, in the image's own pixels."""

    start: float
    stop: float
    size: int

    @classmethod
    def of(cls, size: int) -> "Axis":
        """The whole image, each pixel its own."""
        return cls(0.0, float(size), size)

    def resized(self, size: int) -> "Axis":
        """As many pixels of the same stretch."""
        return replace(self, size=size)

    def window(self, first: int, size: int) -> "Axis":
        """The pixels from `first` on; what lies outside is padding."""
        pixel = (self.stop - self.start) / self.size
        start = self.start + first * pixel
        return Axis(start, start + size * pixel, size)

    def centred(self, size: int) -> "Axis":
        """Cropped or padded to `size`, equally on both sides."""
        return self.window((self.size - size) // 2, size)


def box_shown(rows: Axis, columns: Axis) -> Box:
    """What both axes show."""
    return columns.start, rows.start, columns.stop, rows.stop


def fitted(processor: Any, size: tuple[int, int]) -> tuple[Axis, Axis]:
    """What an image processor of CLIP's kind shows of an image of `size` (height, width).

    Padding to a square comes first where the processor pads (LLaVA), then the resize, then the
    centre crop.

    Raises:
        ValueError: it resizes by another rule.
    """
    height, width = size
    axes = Axis.of(height), Axis.of(width)
    if getattr(processor, "do_pad", False):
        side = max(size)
        axes = axes[0].centred(side), axes[1].centred(side)
    if processor.do_resize:
        wanted = _sizes(processor.size, axes[0].size, axes[1].size)
        axes = axes[0].resized(wanted[0]), axes[1].resized(wanted[1])
    if getattr(processor, "do_center_crop", False):
        crop = processor.crop_size
        axes = axes[0].centred(crop["height"]), axes[1].centred(crop["width"])
    return axes


def _sizes(wanted: Any, height: int, width: int) -> tuple[int, int]:
    if wanted.get("height") and wanted.get("width"):
        return int(wanted["height"]), int(wanted["width"])
    if wanted.get("shortest_edge") and not wanted.get("longest_edge"):
        short = int(wanted["shortest_edge"])
        if height <= width:
            return short, int(short * width / height)
        return int(short * height / width), short
    raise ValueError(f"it is not known where a resize to {dict(wanted)} puts an image.")


def square(image: Image, side: int, background: tuple[int, int, int]) -> Pillow.Image:
    """The whole image in a square: its longer side resized to `side`, the rest background.

    F-LMM's preprocessing of LLaVA-1.5 (bicubic, the shorter side cut to whole pixels, an odd
    pixel of padding at the end).
    """
    rows, columns = inside_square(image.size, side)
    small = to_pillow(image.pixels).resize((columns, rows), Pillow.Resampling.BICUBIC)
    made = Pillow.new("RGB", (side, side), background)
    made.paste(small, ((side - columns) // 2, (side - rows) // 2))
    return made


def squared(size: tuple[int, int], side: int) -> tuple[Axis, Axis]:
    """What `square` shows of an image of `size`."""
    rows, columns = inside_square(size, side)
    height, width = (Axis.of(n).resized(m) for n, m in zip(size, (rows, columns), strict=True))
    return _pasted(height, side), _pasted(width, side)


def inside_square(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Rows and columns of pixels that the image itself takes."""
    longest = max(size)
    height, width = (max(1, n * side // longest) for n in size)
    return height, width


def any_res(size: tuple[int, int], canvas: tuple[int, int]) -> tuple[Axis, Axis]:
    """What LLaVA-Next's canvas of tiles, of height and width `canvas`, shows of an image."""
    from transformers.image_processing_utils import get_patch_output_size
    from transformers.image_utils import ChannelDimension

    blank = torch.empty(3, *size, device="meta")
    inner = get_patch_output_size(blank, canvas, ChannelDimension.FIRST)
    height, width = (Axis.of(n).resized(m) for n, m in zip(size, inner, strict=True))
    return _pasted(height, canvas[0]), _pasted(width, canvas[1])


def _pasted(axis: Axis, size: int) -> Axis:
    """Padded to `size`, an odd pixel at the end."""
    before = (size - axis.size) // 2
    return axis.window(-before, size)


def ramps(size: tuple[int, int]) -> Image:
    """An image whose colours give pixels' positions: red from left to right, green downwards."""
    height, width = size
    down = ((torch.arange(height) + 0.5) / height)[:, None].expand(height, width)
    right = ((torch.arange(width) + 0.5) / width)[None].expand(height, width)
    return Image(torch.stack([right, down, torch.full_like(down, 0.5)]), "ramps")


def lands(
    shown: Float[Tensor, "3 h w"], rows: Axis, columns: Axis, size: tuple[int, int], cell: int
) -> bool:
    """Whether a processor's view of `ramps(size)`, values in [0, 1], shows what the axes say.

    Positions may be off by a quarter of a cell of `cell` pixels, and by rounding to 8 bits.
    """
    good = []
    inner: Bool[Tensor, "h w"] | None = None
    for axis, length, channel, dim in ((columns, size[1], 0, 1), (rows, size[0], 1, 0)):
        pixel = (axis.stop - axis.start) / axis.size
        places = (axis.start + (torch.arange(axis.size) + 0.5) * pixel) / length
        wanted = (places[None] if dim == 1 else places[:, None]).expand(shown.shape[1:])
        good.append((shown[channel] - wanted).abs() <= cell / 4 * pixel / length + 2 / 255)
        within = (wanted > EDGE) & (wanted < 1 - EDGE)
        inner = within if inner is None else inner & within
    assert inner is not None
    right = (good[0] & good[1])[inner].float()
    return bool(len(right)) and float(right.mean()) >= LANDED
