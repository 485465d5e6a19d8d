"""Scenes without artwork: an image of a few pixels whose name says what it shows."""

from collections.abc import Sequence

import torch

from frostbench.packs.mini.scenes.datasets import SceneImage
from frostbench.packs.mini.scenes.scenes import Placed, Scene
from frostbench.packs.mini.scenes.wording import caption_of
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.seeds import seed_of


class PlainScenes:
    """24 families of two classes each."""

    names = tuple(f"{family}{member}" for family in "abcdefghijklmnopqrstuvwx" for member in "12")

    def family(self, name: str) -> int:
        return ord(name[0])

    def of(self, names: Sequence[str], places: Sequence[str], seed: int, index: int) -> SceneImage:
        """An image of noise, another for each scene."""
        what = "+".join(f"{name}@{where}" for name, where in zip(names, places, strict=True))
        name = f"{what}/{seed}/{index}"
        draw = torch.Generator().manual_seed(seed_of(name))
        image = Image(torch.rand(3, 2, 2, generator=draw), name)
        caption, spans = caption_of(names, places)
        pixels = (image.pixels.permute(1, 2, 0) * 255).byte().numpy()
        mask = pixels[..., 0] >= 0
        placed = tuple(
            Placed(name, where, mask, (0.0, 0.0, 2.0, 2.0), *span)
            for name, where, span in zip(names, places, spans, strict=True)
        )
        return SceneImage(Scene(name, pixels, placed, caption, ()), image)


SCENES = PlainScenes()


def shown_in(image: Image) -> dict[str, str]:
    """The classes that an image shows, and where."""
    what, _, _ = image.name.partition("/")
    return dict(part.split("@") for part in what.split("+"))


def classes_in(image: Image) -> set[str]:
    """The classes that an image shows."""
    return set(shown_in(image))
