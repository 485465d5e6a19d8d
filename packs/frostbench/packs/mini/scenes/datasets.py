"""Data sets for suites: images of one split of the pack, each with a permanent name.

A data set has no end: number n is made on demand, and always the same. All of them read one data
folder.
"""

import difflib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from frostbench.packs.mini.scenes import wording
from frostbench.packs.mini.scenes.glyphs import Split
from frostbench.packs.mini.scenes.photos import PhotoSplit
from frostbench.packs.mini.scenes.scenes import Composition, Scenes, SceneSettings
from frostbench.packs.mini.scenes.training_images import to_tensor
from frostbench.plugins.contract.datasets import ClusteredImage
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.scenes import Scene

NAMED = 0  # the seed of scenes and photo crops that are named by number


class DataSet:
    """The base of the data sets: a folder, a split, and the sizes of their images.

    `photos` is the split of the photographs where it is not that of the glyphs.
    """

    photos: PhotoSplit | None = None

    def __init__(
        self, folder: Path, split: Split = "novel", settings: SceneSettings | None = None
    ) -> None:
        self.folder, self.split = folder, split
        self.scenes = Scenes(folder, settings, self.photos)

    @property
    def names(self) -> tuple[str, ...]:
        """The classes of the split."""
        return self.scenes.glyphs.names(self.split)

    def family(self, name: str) -> int:
        """The number of a class's family: classes of one family look or are called alike."""
        return self.scenes.glyphs.get(name).family


class GlyphPortraits(DataSet):
    """One large glyph an image, by class: for few-shot episodes and classification."""

    form = "portrait:NAME"

    def count(self, name: str) -> None:
        """Portraits of a class have no end."""
        return

    def portrait(self, name: str, number: int) -> Image:
        """Portrait `number` of a class.

        Raises:
            LookupError: no class of the split has this name.
        """
        if name not in self.names:
            raise LookupError(f"no class {name!r} in the split {self.split!r}.")
        pixels = self.scenes.portrait(name, number)
        return Image(to_tensor(pixels), f"portrait/{self.split}/{name}/{number}")

    def find(self, which: str) -> tuple[Image, str]:
        """A class of any split by name and, after a slash, the number of its portrait."""
        name, slash, number = which.rpartition("/")
        if not slash:
            name, number = which, "0"
        names = [glyph.name for glyph in self.scenes.glyphs.all]
        if name not in names:
            near = difflib.get_close_matches(name, names, n=5, cutoff=0.5)
            raise LookupError(
                f"no portrait of {name!r}; there are {len(names)} classes, "
                f"{'near it' if near else 'among them'} {', '.join(near or self.names[:8])}."
            )
        own = GlyphPortraits(self.folder, self.scenes.glyphs.get(name).split)
        return own.portrait(name, _number(number, f"{self.form}/NUMBER")), name


class GlyphScenes(DataSet):
    """Scenes of one to four glyphs, with captions, questions, phrases, boxes and masks."""

    form = "scene:NUMBER"
    places = wording.PLACES
    captions = staticmethod(wording.captions_of)
    how_many = staticmethod(wording.how_many)
    is_there = staticmethod(wording.is_there)
    what_is = staticmethod(wording.what_is)
    where_is = staticmethod(wording.where_is)

    def get(self, seed: int, index: int, count: int | None = None) -> Scene:
        """Scene `index` of a seed, with `count` glyphs (random if None)."""
        return _scene(self.scenes.scene(self.split, seed, index, count))

    def of(self, names: Sequence[str], places: Sequence[str], seed: int, index: int) -> Scene:
        """Scene `index` of a seed, of given classes at given places; see `Scenes.scene_of`."""
        return _scene(self.scenes.scene_of(names, places, seed, index))

    def resized(self, side: int, sizes: tuple[float, float]) -> "GlyphScenes":
        """Scenes of another side in pixels, whose glyphs take other shares of it."""
        settings = replace(
            self.scenes.settings, side=side, sizes=(sizes,) * self.scenes.settings.most
        )
        return type(self)(self.folder, self.split, settings)

    def find(self, which: str) -> tuple[Image, str]:
        """A scene by its number, and its caption."""
        scene = self.get(NAMED, _number(which, self.form))
        return scene.image, scene.caption


class KnownGlyphScenes(GlyphScenes):
    """Scenes of classes that were trained on, over photographs that were not."""

    form = "known_scene:NUMBER"
    photos = "test"

    def __init__(
        self, folder: Path, split: Split = "base", settings: SceneSettings | None = None
    ) -> None:
        super().__init__(folder, split, settings)


def _scene(made: Composition) -> Scene:
    return Scene(Image(to_tensor(made.pixels), made.id), made.caption, made.placed)


class PhotoCrops(DataSet):
    """Crops of the split's photographs, of each in turn."""

    form = "photo:NUMBER"
    size = None

    def get(self, seed: int, index: int) -> ClusteredImage:
        """Crop `index` of a seed; its cluster is its photograph."""
        return _crop(self, seed, index)

    def find(self, which: str) -> tuple[Image, str]:
        """A crop by its number, and the name of its photograph."""
        found = self.get(NAMED, _number(which, self.form))
        return found.image, f"a part of the photograph {found.cluster.rpartition('/')[2]!r}"


class RestorationImages(DataSet):
    """Images to restore, in turn: a photo crop (even numbers), a glyph scene (odd numbers)."""

    size = None

    def get(self, seed: int, index: int) -> ClusteredImage:
        """Image `index` of a seed; a scene is its own cluster."""
        half, odd = divmod(index, 2)
        if not odd:
            return _crop(self, seed, half)
        scene = self.scenes.scene(self.split, seed, half)
        return ClusteredImage(Image(to_tensor(scene.pixels), scene.id), scene.id)

    def wider(self, margin: int) -> "RestorationImages":
        """Images of the same kind with `margin` more pixels on each side, to crop from."""
        settings = self.scenes.settings
        larger = replace(settings, side=settings.side + 2 * margin)
        return RestorationImages(self.folder, self.split, larger)


def _crop(data: DataSet, seed: int, index: int) -> ClusteredImage:
    crop = data.scenes.photo_in_turn(data.split, seed, index)
    image = Image(to_tensor(crop.pixels), f"photo/{data.split}/{crop.photo}/{seed}/{index}")
    return ClusteredImage(image, f"photo/{crop.photo}")


def _number(text: str, form: str) -> int:
    if not text.isdecimal():
        raise LookupError(f"no image number {text!r}; write {form}, counted from 0, without end.")
    return int(text)
