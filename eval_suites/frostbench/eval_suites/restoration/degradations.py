"""The low-level corruptions: pure functions of an image, a strength or a variant, and a seed.

Lengths are parts of the image's side, so that a strength means the same at every size; noise
affects single pixels. Units of strengths stand in `strengths`.
"""

from collections.abc import Callable
from math import ceil, radians

import torch
from jaxtyping import Float
from torch import Tensor

from frostbench.eval_suites.restoration.corruptions import PUBLISHED_SIDE, Blur, blurred
from frostbench.eval_suites.restoration.strengths import VARIANTS, check_corruption
from frostbench.plugins.parts.hiding import hide, random_cells

CELLS = 16  # squares of mask removal on the shorter side
STEEPEST = radians(30)  # largest angle of rain from the vertical
STREAK = (0.1, 0.3)  # shortest and longest streak, as parts of the shorter side
THICKNESS = 1 / 64  # width of a streak, as a part of the shorter side
BRIGHTNESS = (0.2, 0.5)  # what a streak adds, from the faintest to the brightest


def degraded(
    corruption: str, pixels: Float[Tensor, "3 h w"], strength: float, seed: int
) -> Float[Tensor, "3 h w"]:
    """An image under a corruption of some strength; the same seed gives the same image.

    Raises:
        LookupError: there is no corruption of this name.
        ValueError: it has variants and no strength.
    """
    check_corruption(corruption)
    if corruption in VARIANTS:
        raise ValueError(f"{corruption} has no strength; it is one of {list(VARIANTS[corruption])}")
    return _DEGRADATIONS[corruption](pixels, strength, seed)


def varied(corruption: str, pixels: Float[Tensor, "3 h w"], variant: str) -> Float[Tensor, "3 a b"]:
    """An image turned or flipped; `variant` is what a method is told, see `VARIANTS`.

    Raises:
        LookupError: there is no such corruption, or it has no such variant.
    """
    check_corruption(corruption)
    variants = tuple(VARIANTS.get(corruption, {}).values())
    if variant not in variants:
        raise LookupError(
            f"{corruption} has no variant {variant!r}; "
            f"{'there are ' + ', '.join(variants) if variants else 'it has strengths instead'}."
        )
    if corruption == "rotation":
        return turned(pixels, int(variant) // 90)
    return flipped(pixels, variant)


def noisy(pixels: Float[Tensor, "3 h w"], sigma: float, seed: int) -> Float[Tensor, "3 h w"]:
    """White Gaussian noise of `sigma` (of 255), drawn for each pixel and channel, then clipped."""
    noise = torch.randn(pixels.shape, generator=_draws(seed), dtype=pixels.dtype)
    return (pixels + sigma / 255 * noise).clamp(0, 1)


def softened(pixels: Float[Tensor, "3 h w"], sigma: float, seed: int) -> Float[Tensor, "3 h w"]:
    """A Gaussian blur, its kernel cut at three sigma; nothing is drawn.

    `sigma` is meant for a shorter side of 128 pixels, and is scaled to this image.
    """
    scaled = sigma * min(pixels.shape[1:]) / PUBLISHED_SIDE
    return blurred(pixels, Blur(2 * ceil(3 * scaled) + 1, scaled))


def peppered(pixels: Float[Tensor, "3 h w"], share: float, seed: int) -> Float[Tensor, "3 h w"]:
    """Each pixel is black, in all channels, with probability `share`."""
    draw = torch.rand(pixels.shape[1:], generator=_draws(seed))
    return pixels.masked_fill(draw < share, 0)


def rainy(pixels: Float[Tensor, "3 h w"], streaks: float, seed: int) -> Float[Tensor, "3 h w"]:
    """Rain: bright streaks of one direction, added and clipped.

    `streaks` is their number on a square image, rounded; a longer image has proportionally more.
    The direction is drawn once, up to 30 degrees from the vertical; length, place and brightness
    are drawn for each streak. Where streaks cross, the brightest counts.
    """
    height, width = pixels.shape[1:]
    side = min(height, width)
    count = round(streaks * height * width / side**2)
    if count == 0:
        return pixels.clone()
    draw = _draws(seed)
    angle = STEEPEST * (2 * torch.rand(1, generator=draw) - 1)
    down, right, lengths, lights = torch.rand(4, count, generator=draw).unbind()
    halves = side * _between(STREAK, lengths) / 2
    rows = torch.arange(height)[:, None, None] + 0.5 - height * down
    columns = torch.arange(width)[:, None] + 0.5 - width * right
    along = rows * angle.cos() + columns * angle.sin()
    across = columns * angle.cos() - rows * angle.sin()
    beyond = (along.abs() - halves).clamp(min=0)
    distance = (across.square() + beyond.square()).sqrt()
    # A streak's edge fades over one pixel, as it would on a sensor.
    cover = (0.5 + side * THICKNESS / 2 - distance).clamp(0, 1)
    layer = (cover * _between(BRIGHTNESS, lights)).amax(-1)
    return (pixels + layer.to(pixels.dtype)).clamp(0, 1)


def patched(pixels: Float[Tensor, "3 h w"], share: float, seed: int) -> Float[Tensor, "3 h w"]:
    """Mid-grey squares, a sixteenth of the shorter side wide, over `share` of the image."""
    height, width = pixels.shape[1:]
    cell = max(1, min(height, width) // CELLS)
    return hide(pixels, random_cells(height, width, cell, share, seed))


def turned(pixels: Float[Tensor, "3 h w"], quarters: int) -> Float[Tensor, "3 a b"]:
    """The image turned by quarters, counter-clockwise, as `numpy.rot90` does."""
    return torch.rot90(pixels, quarters, dims=(1, 2)).contiguous()


def flipped(pixels: Float[Tensor, "3 h w"], variant: str) -> Float[Tensor, "3 a b"]:
    """Left and right exchanged ("horizontal"), top and bottom ("vertical"), or both axes."""
    match variant:
        case "horizontal":
            return pixels.flip(2)
        case "vertical":
            return pixels.flip(1)
        case _:
            return pixels.transpose(1, 2).contiguous()


_DEGRADATIONS: dict[str, Callable[[Float[Tensor, "3 h w"], float, int], Float[Tensor, "3 h w"]]] = {
    "denoising": noisy,
    "deblurring": softened,
    "pepper_noise": peppered,
    "deraining": rainy,
    "mask_removal": patched,
}


def _draws(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _between(ends: tuple[float, float], at: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    return ends[0] + (ends[1] - ends[0]) * at
