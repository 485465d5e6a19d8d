"""Scenes without artwork: an image of a few pixels whose name says what it shows."""

from collections.abc import Sequence

import torch

from frostbench.packs.mini.scenes import wording
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.scenes import Placed, Scene
from frostbench.plugins.contract.seeds import seed_of


class PlainScenes:
    """24 families of two classes each, in the words of the mini pack."""

    names = tuple(f"{family}{member}" for family in "abcdefghijklmnopqrstuvwx" for member in "12")
    places = wording.PLACES
    captions = staticmethod(wording.captions_of)
    how_many = staticmethod(wording.how_many)
    is_there = staticmethod(wording.is_there)
    what_is = staticmethod(wording.what_is)
    where_is = staticmethod(wording.where_is)

    def family(self, name: str) -> int:
        return ord(name[0])

    def of(self, names: Sequence[str], places: Sequence[str], seed: int, index: int) -> Scene:
        """An image of noise, another for each scene."""
        what = "+".join(f"{name}@{where}" for name, where in zip(names, places, strict=True))
        name = f"{what}/{seed}/{index}"
        draw = torch.Generator().manual_seed(seed_of(name))
        image = Image(torch.rand(3, 2, 2, generator=draw), name)
        caption, spans = wording.caption_of(names, places)
        mask = torch.ones(2, 2, dtype=torch.bool)
        placed = tuple(
            Placed(name, where, mask, (0.0, 0.0, 2.0, 2.0), *span)
            for name, where, span in zip(names, places, spans, strict=True)
        )
        return Scene(image, caption, placed)

    def get(self, seed: int, index: int, count: int | None = None) -> Scene:
        raise AssertionError("what an image shows is said, and never drawn by the set")

    def resized(self, side: int, sizes: tuple[float, float]) -> "PlainScenes":
        raise AssertionError("two pixels are two pixels")


SCENES = PlainScenes()


def shown_in(image: Image) -> dict[str, str]:
    """The classes that an image shows, and where."""
    what, _, _ = image.name.partition("/")
    return dict(part.split("@") for part in what.split("+"))


def classes_in(image: Image) -> set[str]:
    """The classes that an image shows."""
    return set(shown_in(image))
