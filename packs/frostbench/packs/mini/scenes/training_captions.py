"""Training scenes with their captions, as the `CaptionSet` of recipes."""

from collections.abc import Sequence
from pathlib import Path
from typing import overload

from frostbench.packs.mini.scenes.glyphs import Split
from frostbench.packs.mini.scenes.scenes import Composition, Scenes
from frostbench.packs.mini.scenes.training_images import to_tensor
from frostbench.packs.mini.scenes.wording import captions_of
from frostbench.plugins.contract.datasets import CaptionedImage
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.recipe import Workshop

COUNT = 6000  # number of scenes; each is made on demand
SEED = 7  # no other training data, and no task, draws the same scenes


class TrainingCaptions(Sequence[CaptionedImage]):
    """The first `count` scenes of one split, with one and two glyphs in turn."""

    def __init__(self, folder: Path, split: Split = "base", count: int = COUNT) -> None:
        self._scenes, self._split, self._count = Scenes(folder), split, count

    def captioned(self) -> Sequence[CaptionedImage]:
        """The scenes themselves."""
        return self

    def references(self) -> Sequence[tuple[str, ...]]:
        """The captions of all scenes, which are made for this."""
        return [self._captions(self._scene(number)) for number in range(self._count)]

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> CaptionedImage: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[CaptionedImage]: ...
    def __getitem__(self, index: int | slice) -> CaptionedImage | Sequence[CaptionedImage]:
        """Scene `index`, or those of a slice."""
        if isinstance(index, slice):
            return [self[number] for number in range(self._count)[index]]
        scene = self._scene(range(self._count)[index])
        image = Image(to_tensor(scene.pixels), scene.id)
        return CaptionedImage(scene.id, image, self._captions(scene), scene.id)

    def _scene(self, number: int) -> Composition:
        return self._scenes.scene(self._split, SEED, number, 1 + number % 2)

    def _captions(self, scene: Composition) -> tuple[str, ...]:
        placed = [(glyph.name, glyph.place) for glyph in scene.placed]
        return captions_of(*zip(*placed, strict=True))


def of_workshop(workshop: Workshop) -> TrainingCaptions:
    """The captioned scenes of the pack in the making."""
    return TrainingCaptions(workshop.pack / "data")
