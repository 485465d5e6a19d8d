"""Photographs that scikit-image and scikit-learn carry inside their wheels, with their licences.

Those packages' own documentation states each licence. Left out are those of which it states none
(moon, page, color, logo, lfw_subset, motorcycle) or only "no known copyright restrictions" (ihc,
coins), and those that show too little to be a background (cell, microaneurysms, horse).
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from PIL import Image


@dataclass(frozen=True)
class PhotoSource:
    """A photograph, the package that carries it, and on what terms it may be passed on."""

    name: str
    split: str
    package: str
    file: str
    licence: str
    author: str
    source: str


_FOLDERS = {"scikit-image": ("skimage", "data"), "scikit-learn": ("sklearn", "datasets/images")}

PHOTOS = (
    PhotoSource(
        "astronaut",
        "train",
        "scikit-image",
        "astronaut.png",
        "public domain",
        "NASA",
        "https://flic.kr/p/r9qvLn",
    ),
    PhotoSource(
        "coffee",
        "train",
        "scikit-image",
        "coffee.png",
        "CC0-1.0",
        "Rachel Michetti, courtesy of Pikolo Espresso Bar",
        "scikit-image",
    ),
    PhotoSource(
        "china",
        "train",
        "scikit-learn",
        "china.jpg",
        "CC-BY-2.0",
        "danielbuechele",
        "https://www.flickr.com/photos/danielbuechele/6061409035/",
    ),
    PhotoSource(
        "hubble",
        "train",
        "scikit-image",
        "hubble_deep_field.jpg",
        "public domain",
        "NASA",
        "http://hubblesite.org/newscenter/archive/releases/2012/37/image/a/",
    ),
    PhotoSource(
        "camera",
        "train",
        "scikit-image",
        "camera.png",
        "CC0-1.0",
        "Lav Varshney",
        "https://github.com/scikit-image/scikit-image/issues/3927",
    ),
    PhotoSource(
        "brick",
        "train",
        "scikit-image",
        "brick.png",
        "CC0-1.0",
        "CC0Textures",
        "https://cc0textures.com/view.php?tex=Bricks25",
    ),
    PhotoSource(
        "grass",
        "train",
        "scikit-image",
        "grass.png",
        "CC0-1.0",
        "linolafett",
        "https://www.deviantart.com/linolafett/art/Grass-01-434853879",
    ),
    PhotoSource(
        "gravel",
        "train",
        "scikit-image",
        "gravel.png",
        "CC0-1.0",
        "CC0Textures",
        "https://cc0textures.com/view.php?tex=Gravel04",
    ),
    PhotoSource(
        "retina",
        "validation",
        "scikit-image",
        "retina.jpg",
        "CC0-1.0",
        "Mikael Häggström",
        "https://commons.wikimedia.org/wiki/File:Fundus_photograph_of_normal_left_eye.jpg",
    ),
    PhotoSource(
        "clock",
        "validation",
        "scikit-image",
        "clock_motion.png",
        "public domain",
        "Stefan van der Walt",
        "scikit-image",
    ),
    PhotoSource(
        "chelsea",
        "test",
        "scikit-image",
        "chelsea.png",
        "CC0-1.0",
        "Stefan van der Walt",
        "scikit-image",
    ),
    PhotoSource(
        "rocket",
        "test",
        "scikit-image",
        "rocket.jpg",
        "public domain",
        "SpaceX",
        "https://www.flickr.com/photos/spacexphotos/16511594820/",
    ),
    PhotoSource(
        "flower",
        "test",
        "scikit-learn",
        "flower.jpg",
        "CC-BY-2.0",
        "vultilion",
        "https://www.flickr.com/photos/vultilion/6056698931/",
    ),
)


def write_photos(folder: Path, side: int, quality: int) -> None:
    """Write every photograph as WebP, with a shorter side of at most `side` pixels.

    Raises:
        FileNotFoundError: a package that carries one is not installed.
    """
    for photo in PHOTOS:
        image = Image.open(_package_folder(photo.package) / photo.file).convert("RGB")
        if photo.name == "retina":  # the square inside the disc, without its black surround
            cut = round(image.width * 0.16)
            image = image.crop((cut, cut, image.width - cut, image.height - cut))
        scale = min(1.0, side / min(image.size))
        size = (round(image.width * scale), round(image.height * scale))
        small = image.resize(size, Image.Resampling.LANCZOS)
        small.save(folder / f"{photo.name}.webp", quality=quality, method=6)


def _package_folder(distribution: str) -> Path:
    package, folder = _FOLDERS[distribution]
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            f"the photographs of {distribution} are wanted, and it is not installed; "
            "install frostbench[train]."
        )
    return Path(spec.origin).parent / folder
