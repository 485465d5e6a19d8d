"""Where the image tokens of a multimodal model's processor lie on an image.

What the processor's settings promise is checked on an image whose pixels tell where they are, so
that a processor of another kind is detected.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from frostbench.plugins.backbones.fitting import Axis, any_res, box_shown, fitted, lands, squared
from frostbench.plugins.backbones.views import View


class LayoutError(ValueError):
    """The processor lays an image out in a way that is not known here; the message says what."""


@dataclass(frozen=True, eq=False)
class Ramped:
    """What a processor makes of `fitting.ramps`.

    Attributes:
        size: The image's height and width.
        places: Where image tokens stand in the ids that it writes.
        tiles: The images that the vision tower sees, values in [0, 1].
        padded: The image came in a square that frostbench has padded.
    """

    size: tuple[int, int]
    places: tuple[int, ...]
    tiles: Float[Tensor, "tiles 3 side side"]
    padded: bool


def lay(ramped: Ramped, config: Any, images: Any) -> tuple[View, ...]:
    """One grid, or LLaVA-Next's two: a coarse one and a fine one.

    `config` is the network's configuration, `images` the image processor.

    Raises:
        LayoutError: the layout is not known here.
    """
    places = ramped.places
    if places != tuple(range(places[0], places[0] + len(places))):
        raise LayoutError("writes other tokens between those of an image")
    cell = getattr(config.vision_config, "patch_size", None)
    if not isinstance(cell, int):
        raise LayoutError("names no patch size of its vision tower")
    if getattr(config, "image_grid_pinpoints", None):
        return _coarse_and_fine(ramped, config.image_grid_pinpoints, cell)
    return (_single(ramped, images, cell),)


def _single(ramped: Ramped, images: Any, cell: int) -> View:
    tiles, count = len(ramped.tiles), len(ramped.places)
    side = ramped.tiles.shape[-1]
    cells = side // cell
    # A class token that is kept stands before the cells.
    extra = count - cells * cells
    if tiles != 1 or extra not in (0, 1):
        raise LayoutError(f"gives {count} places to {tiles} tiles of {cells} x {cells} cells")
    axes = squared(ramped.size, side) if ramped.padded else fitted(images, ramped.size)
    _try(ramped.tiles[0], axes, ramped.size, cell)
    return View(ramped.places[0] + extra, cells, cells, cells, box_shown(*axes))


def _coarse_and_fine(
    ramped: Ramped, resolutions: Sequence[Sequence[int]], cell: int
) -> tuple[View, View]:
    """The whole image squeezed into a tile, then tiles without their padding, a newline a row."""
    from transformers.image_processing_utils import select_best_resolution

    size, side = ramped.size, ramped.tiles.shape[-1]
    canvas = select_best_resolution(size, resolutions)
    down, right = canvas[0] // side, canvas[1] // side
    cells = side // cell
    cut = _padding(size, (down * cells, right * cells))
    rows, columns = down * cells - 2 * cut[0], right * cells - 2 * cut[1]
    wanted = cells * cells + rows * (columns + 1)
    if len(ramped.tiles) != 1 + down * right or len(ramped.places) != wanted:
        raise LayoutError(
            f"gives {len(ramped.places)} places to {len(ramped.tiles)} tiles, where LLaVA-Next's "
            f"rule gives {wanted} to {1 + down * right}"
        )
    whole = Axis.of(size[0]).resized(side), Axis.of(size[1]).resized(side)
    _try(ramped.tiles[0], whole, size, cell)
    fine = any_res(size, (canvas[0], canvas[1]))
    joined = ramped.tiles[1:].view(down, right, 3, side, side).permute(2, 0, 3, 1, 4)
    _try(joined.reshape(3, down * side, right * side), fine, size, cell)
    height, width = (
        axis.window(before * cell, axis.size - 2 * before * cell)
        for axis, before in zip(fine, cut, strict=True)
    )
    first = ramped.places[0]
    return (
        View(first, cells, cells, cells, box_shown(*whole)),
        View(first + cells * cells, rows, columns, columns + 1, box_shown(height, width)),
    )


def _padding(size: tuple[int, int], cells: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of cells that LLaVA-Next cuts from each side of its canvas as padding."""
    height, width = size
    rows, columns = cells
    if width / height > columns / rows:
        return (rows - int(round(height * (columns / width), 7))) // 2, 0
    return 0, (columns - int(round(width * (rows / height), 7))) // 2


def _try(shown: Tensor, axes: tuple[Axis, Axis], size: tuple[int, int], cell: int) -> None:
    fits = tuple(shown.shape[1:]) == (axes[0].size, axes[1].size)
    if not fits or not lands(shown, *axes, size, cell):
        raise LayoutError("puts an image elsewhere than its settings say")


def denormalised(pixels: Tensor, images: Any) -> Float[Tensor, "tiles 3 side side"]:
    """The tiles of one image as an image processor made them, back in [0, 1].

    Raises:
        LayoutError: it makes no tiles of RGB pixels.
    """
    if pixels.dim() not in (4, 5) or pixels.shape[-3] != 3 or pixels.shape[-1] != pixels.shape[-2]:
        raise LayoutError(f"makes no square tiles of an image but {tuple(pixels.shape)}")
    mean, std = (torch.tensor(v)[:, None, None] for v in (images.image_mean, images.image_std))
    return pixels.float().flatten(0, -4) * std + mean
