"""The image region that is looked at again in a visual chain of thought."""

from dataclasses import dataclass

from jaxtyping import Bool
from torch import Tensor

from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.requests import Box


@dataclass(frozen=True)
class RegionSettings:
    """How large a region is cut out; the defaults are the published ones.

    Attributes:
        least: Half of its least height and width, in pixels.
        scale: Its height and width, relative to those of the mask.
        refined: Take the refiner's mask. The published command takes the mask head's.
    """

    least: float = 8.0
    scale: float = 1.0
    refined: bool = False


def region_of(mask: Bool[Tensor, "h w"], settings: RegionSettings) -> Box:
    """The box around a mask, in whole pixels within the image; the whole image for an empty mask.

    Edges are rounded down to whole pixels, and the mask's own are inclusive, as published.
    """
    height, width = mask.shape
    rows, columns = mask.any(1).nonzero()[:, 0], mask.any(0).nonzero()[:, 0]
    if not len(rows):
        return 0.0, 0.0, float(width), float(height)
    top, bottom = _extent(rows, height, settings)
    left, right = _extent(columns, width, settings)
    return float(left), float(top), float(right), float(bottom)


def whole(image: Image) -> Box:
    """The box around an image."""
    height, width = image.size
    return 0.0, 0.0, float(width), float(height)


def cut_out(image: Image, box: Box) -> Image:
    """The part of an image within a box, edges rounded outwards to whole pixels."""
    left, top = int(box[0]), int(box[1])
    right, bottom = -int(-box[2] // 1), -int(-box[3] // 1)
    return Image(image.pixels[:, top:bottom, left:right].contiguous(), f"part of {image.name}")


def _extent(places: Tensor, length: int, settings: RegionSettings) -> tuple[int, int]:
    first, last = float(places[0]), float(places[-1])
    half = max((last - first) / 2, settings.least) * settings.scale
    middle = (first + last) / 2
    start, stop = int(max(0.0, middle - half)), int(min(float(length), middle + half))
    # An image of a pixel, or a small scale, would leave nothing: one pixel then.
    return (start, stop) if start < stop else (min(start, length - 1), min(start, length - 1) + 1)
