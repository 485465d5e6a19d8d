"""The image to look at: a file, or one of the pack's own."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from frostbench.packs.mini.scenes.datasets import GlyphPortraits, GlyphScenes, PhotoCrops
from frostbench.plugins.contract.images import Image, read_as_seen
from frostbench.plugins.host.packs import Pack

SEED = 0  # of scenes and photo crops, which the pack makes by number


@dataclass(frozen=True, eq=False)
class Seen:
    """An image and what it shows, where that is known."""

    image: Image
    title: str


@dataclass(frozen=True)
class Source:
    """A data set of a pack that images are taken from."""

    data: str  # its name in the pack
    form: str  # how an image of it is written
    take: Callable[[Path, str], Seen]


def find_image(name: str, pack: Pack) -> Seen:
    """The image in a file, or one that the pack makes: "portrait:red apple", "scene:7".

    Raises:
        LookupError: the pack has no such image; the message says which it has.
        ValueError: there is no such file, or it is no image.
    """
    path = Path(name)
    kind, colon, which = name.partition(":")
    if not path.exists() and colon and kind in SOURCES:
        source = SOURCES[kind]
        if source.data not in pack.data:
            raise LookupError(
                f"{name!r} is of the data set {source.data!r}, which the pack {pack.name!r} lacks; "
                f"it has {', '.join(pack.data) or 'none'}. An image file works with any pack."
            )
        return source.take(pack.data[source.data], which.strip())
    if not path.exists():
        forms = ", ".join(source.form for source in SOURCES.values())
        raise ValueError(f"no image at {name}. The pack has some of its own: {forms}.")
    return Seen(read_as_seen(path), path.name)


def _portrait(folder: Path, which: str) -> Seen:
    """A class by name, and, behind a stroke, the number of its portrait."""
    name, stroke, number = which.rpartition("/")
    if not stroke:
        name, number = which, "0"
    glyphs = GlyphPortraits(folder).scenes.glyphs
    names = [glyph.name for glyph in glyphs.all]
    if name not in names:
        near = difflib.get_close_matches(name, names, n=5, cutoff=0.5)
        some = ", ".join(near or GlyphPortraits(folder).names[:8])
        raise LookupError(
            f"no portrait of {name!r}; there are {len(names)} classes, "
            f"{'near it' if near else 'among them'} {some}."
        )
    portraits = GlyphPortraits(folder, glyphs.get(name).split)
    return Seen(portraits.portrait(name, _number(number, "portrait:NAME/NUMBER")), name)


def _scene(folder: Path, which: str) -> Seen:
    found = GlyphScenes(folder).get(SEED, _number(which, "scene:NUMBER"))
    return Seen(found.image, found.scene.caption)


def _photo(folder: Path, which: str) -> Seen:
    found = PhotoCrops(folder).get(SEED, _number(which, "photo:NUMBER"))
    return Seen(found.image, f"a part of the photograph {found.cluster.rpartition('/')[2]!r}")


def _number(text: str, form: str) -> int:
    if not text.isdecimal():
        raise LookupError(f"no image number {text!r}; write {form}, counted from 0, without end.")
    return int(text)


Sources: TypeAlias = Mapping[str, Source]

SOURCES: Sources = {
    "portrait": Source("glyph_portraits", "portrait:NAME", _portrait),
    "scene": Source("glyph_scenes", "scene:NUMBER", _scene),
    "photo": Source("photo_crops", "photo:NUMBER", _photo),
}
