"""Data sets for suites: images of one split of the pack, each with a name that stays its own.

A data set has no end: number n is made when it is asked for, and is the same whenever it is. All of
them read one data folder, whose `digest` says which.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from frostbench.packs.mini.scenes.digest import data_digest
from frostbench.packs.mini.scenes.glyphs import Split
from frostbench.packs.mini.scenes.scenes import Scene, Scenes, SceneSettings
from frostbench.packs.mini.scenes.training_images import to_tensor
from frostbench.plugins.contract.images import Image


class DataSet:
    """What the data sets have in common: a folder, a split, and the sizes of their images."""

    def __init__(
        self, folder: Path, split: Split = "novel", settings: SceneSettings | None = None
    ) -> None:
        self.folder, self.split = folder, split
        self.scenes = Scenes(folder, settings)

    @property
    def digest(self) -> str:
        """SHA-256 of the data folder."""
        return data_digest(self.folder)

    @property
    def names(self) -> tuple[str, ...]:
        """The classes of the split."""
        return self.scenes.glyphs.names(self.split)

    def family(self, name: str) -> int:
        """The number of a class's family: classes of one family look or are called alike."""
        return self.scenes.glyphs.get(name).family


class GlyphPortraits(DataSet):
    """One large glyph an image, by class: for few-shot episodes and classification."""

    def portrait(self, name: str, number: int) -> Image:
        """Portrait `number` of a class.

        Raises:
            LookupError: no class of the split has this name.
        """
        if name not in self.names:
            raise LookupError(f"no class {name!r} in the split {self.split!r}.")
        pixels = self.scenes.portrait(name, number)
        return Image(to_tensor(pixels), f"portrait/{self.split}/{name}/{number}")


@dataclass(frozen=True, eq=False)
class SceneImage:
    """A scene, and its image as requests carry it."""

    scene: Scene
    image: Image


class GlyphScenes(DataSet):
    """Scenes of one to four glyphs, with captions, questions, phrases, boxes and masks."""

    def get(self, seed: int, index: int, count: int | None = None) -> SceneImage:
        """Scene `index` of a seed, with `count` glyphs (random if None)."""
        return _image(self.scenes.scene(self.split, seed, index, count))

    def of(self, names: Sequence[str], places: Sequence[str], seed: int, index: int) -> SceneImage:
        """Scene `index` of a seed, of given classes at given places; see `Scenes.scene_of`."""
        return _image(self.scenes.scene_of(names, places, seed, index))

    def resized(self, side: int, sizes: tuple[float, float]) -> "GlyphScenes":
        """Scenes of another side in pixels, whose glyphs take other parts of it, however many."""
        settings = replace(
            self.scenes.settings, side=side, sizes=(sizes,) * self.scenes.settings.most
        )
        return GlyphScenes(self.folder, self.split, settings)


def _image(scene: Scene) -> SceneImage:
    return SceneImage(scene, Image(to_tensor(scene.pixels), scene.id))


@dataclass(frozen=True, eq=False)
class ClusteredImage:
    """An image with the cluster it belongs to: images of one photograph are no two witnesses."""

    image: Image
    cluster: str


class PhotoCrops(DataSet):
    """Crops of the split's photographs."""

    def get(self, seed: int, index: int) -> ClusteredImage:
        """Crop `index` of a seed; its cluster is its photograph."""
        crop = self.scenes.photo_crop(self.split, seed, index)
        image = Image(to_tensor(crop.pixels), f"photo/{self.split}/{crop.photo}/{seed}/{index}")
        return ClusteredImage(image, f"photo/{crop.photo}")


class RestorationImages(DataSet):
    """Images to restore, in turn: a photo crop (even numbers), a glyph scene (odd numbers)."""

    def get(self, seed: int, index: int) -> ClusteredImage:
        """Image `index` of a seed; a scene is its own cluster."""
        half, odd = divmod(index, 2)
        if not odd:
            crop = self.scenes.photo_crop(self.split, seed, half)
            name = f"photo/{self.split}/{crop.photo}/{seed}/{half}"
            return ClusteredImage(Image(to_tensor(crop.pixels), name), f"photo/{crop.photo}")
        scene = self.scenes.scene(self.split, seed, half)
        return ClusteredImage(Image(to_tensor(scene.pixels), scene.id), scene.id)

    def wider(self, margin: int) -> "RestorationImages":
        """Images of the same kind with `margin` more pixels on each side, to crop from."""
        settings = self.scenes.settings
        larger = replace(settings, side=settings.side + 2 * margin)
        return RestorationImages(self.folder, self.split, larger)
