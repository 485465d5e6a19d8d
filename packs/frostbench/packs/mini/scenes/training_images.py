"""Training images of the `mini` pack: a mix of scenes, portraits and photo crops."""

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from frostbench.packs.mini.scenes.glyphs import Pixels, Split
from frostbench.packs.mini.scenes.scenes import Scenes, SceneSettings
from frostbench.plugins.contract.recipe import Workshop


def to_tensor(pixels: Pixels) -> Float[Tensor, "3 h w"]:
    """An image `[h, w, 3]` of bytes as floats in [0, 1], channels first."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))).float().div_(255)


def stack(images: Sequence[Pixels]) -> Float[Tensor, "b 3 h w"]:
    """Images of one size as a batch of floats in [0, 1]."""
    bytes_ = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    return bytes_.to(torch.float32, memory_format=torch.contiguous_format).div_(255)


def checked(split: str) -> Split:
    """The split of that name.

    Raises:
        LookupError: there is none.
    """
    for known in get_args(Split):
        if split == known:
            return known  # type: ignore[no-any-return]
    raise LookupError(f"no split named {split!r}; there are {', '.join(get_args(Split))}.")


class MiniImages:
    """`frostbench.plugins.contract.recipe.TrainingImages` over the data folder of a pack.

    `shares` are those of scenes and portraits; the rest are photo crops.
    """

    def __init__(
        self,
        folder: Path,
        settings: SceneSettings | None = None,
        shares: tuple[float, float] = (0.4, 0.35),
    ) -> None:
        self._scenes = Scenes(folder, settings)
        self._shares = shares

    def batch(self, split: str, count: int, seed: int) -> Float[Tensor, "{count} 3 h w"]:
        """`count` images of a split ("base", "validation", "novel"), floats in [0, 1].

        The same arguments give the same images.
        """
        known = checked(split)
        names = self._scenes.glyphs.names(known)
        draw = np.random.default_rng([seed, get_args(Split).index(known)])
        kinds, which = draw.random(count), draw.integers(len(names), size=count)
        scenes, portraits = self._shares
        images = []
        for index, (kind, name) in enumerate(zip(kinds, which, strict=True)):
            number = seed * 100_003 + index
            if kind < scenes:
                pixels = self._scenes.scene(known, seed, index).pixels
            elif kind < scenes + portraits:
                pixels = self._scenes.portrait(names[name], number)
            else:
                pixels = self._scenes.photo_crop(known, seed, index).pixels
            images.append(pixels)
        return stack(images)


def of_workshop(workshop: Workshop) -> MiniImages:
    """The images of the pack in the making."""
    return MiniImages(workshop.pack / "data")
