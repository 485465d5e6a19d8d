"""Artwork: the images of the `mini` pack, taken from an emoji font and other packages.

Glyphs are the bitmaps of Noto Color Emoji with their own alpha, one class each, called by their
English names. Photographs are those of `photographs.py`.
"""

import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from frostbench.packs.mini.recipes.data.font import FONT, Cut, font_names, read_font, similarity
from frostbench.packs.mini.recipes.data.photographs import PHOTOS, write_photos
from frostbench.packs.mini.scenes.glyphs import Glyphs
from frostbench.packs.mini.scenes.scenes import STORED, Scenes, SceneSettings
from frostbench.plugins.contract.recipe import Report, Workshop
from frostbench.plugins.host.packs import embedded_pack
from frostbench.plugins.host.settings import read_settings


@dataclass(frozen=True)
class ArtworkSettings:
    """How the artwork is cut, split and stored.

    Attributes:
        side: Pixels of the side of the pack's images, scenes and portraits, which are all square.
        embedded: Take classes, splits and photographs of the embedded pack as they are, so that
            results are comparable; its glyphs too, unless they are of another size, for which they
            are cut from the font.
    """

    side: int = SceneSettings.side
    embedded: bool = False
    font: str = str(FONT)
    debian: str = ""  # folder of Debian packages with photographs; `debian` in the scratch without
    glyph_size: int = 56  # pixels; the longer side of a glyph's visible part
    photo_side: int = 320  # pixels; the shorter side of a stored photograph
    photo_quality: int = 90  # WebP
    duplicate: float = 0.95  # similarity from which the later of two glyphs is left out
    alike: float = 0.92  # similarity from which two glyphs belong to one family
    largest_shuffled: int = 5  # a larger family goes to the base split whole
    validation: float = 0.08
    novel: float = 0.12


def train(workshop: Workshop) -> Report:
    """Write `packs/<pack>/data`: glyphs, photographs, their names, splits, sources and licences.

    Raises:
        FileNotFoundError: the font or a package that carries the photographs is not installed.
        ValueError: the font lacks a glyph of the embedded pack.
    """
    settings = read_settings(ArtworkSettings, workshop.settings, "data")
    folder = workshop.pack / "data"
    (folder / "photos").mkdir(parents=True, exist_ok=True)
    (_take if settings.embedded else _make)(workshop, settings, folder)
    if settings.side != SceneSettings.side:
        _write_json(folder / STORED, {"side": settings.side})
    scenes = Scenes(folder)
    counts = Counter(glyph.split for glyph in scenes.glyphs.all)
    for name, count in sorted(counts.items()):
        workshop.log(f"data: {count} glyph classes in split {name}")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return Report(
        steps=0,
        seconds=0.0,
        figures={
            "classes": float(len(scenes.glyphs.all)),
            **{f"classes[{name}]": float(count) for name, count in sorted(counts.items())},
            "families": float(len({glyph.family for glyph in scenes.glyphs.all})),
            "photographs": float(len(scenes.photos.all)),
            "megabytes": round(size / 1e6, 2),
        },
        settings=asdict(settings),
    )


def _make(workshop: Workshop, settings: ArtworkSettings, folder: Path) -> None:
    """Glyphs and photographs from the font and the packages that carry them."""
    cuts = _distinct(list(read_font(Path(settings.font))), settings.duplicate)
    families = group(cuts, settings.alike)
    splits = split(families, settings, workshop.seed)
    _write_glyphs(folder, cuts, families, splits, settings.glyph_size)
    debian = Path(settings.debian) if settings.debian else workshop.scratch / "debian"
    write_photos(folder / "photos", debian, settings.photo_side, settings.photo_quality)
    sources = _sources(settings)
    _write_json(folder / "sources.json", sources)
    licence = (Path(__file__).parent / "OFL.txt").read_text(encoding="utf-8")
    licence = f"{sources['glyphs']['copyright']}\n\n{licence}"
    (folder / "OFL.txt").write_text(licence, encoding="utf-8")
    (folder / "README.md").write_text(_card(sources, Counter(splits.values())), encoding="utf-8")


def _take(workshop: Workshop, settings: ArtworkSettings, folder: Path) -> None:
    """Those of the embedded pack, its glyphs cut anew where they are to be of another size."""
    own = embedded_pack("mini") / "data"
    shutil.copytree(own, folder, dirs_exist_ok=True)
    glyphs = Glyphs(own)
    if settings.glyph_size == glyphs.cell:
        return
    found = {f"U+{cut.code:04X}": cut for cut in read_font(Path(settings.font))}
    if absent := [glyph.name for glyph in glyphs.all if glyph.code not in found]:
        raise ValueError(
            f"the font {settings.font} has no glyph for {absent[0]!r}, which is a class of the "
            "embedded pack; name the font's version in its sources.json, or leave glyph_size at "
            f"{glyphs.cell}."
        )
    _write_glyphs(
        folder,
        [replace(found[glyph.code], name=glyph.name) for glyph in glyphs.all],
        {glyph.name: glyph.family for glyph in glyphs.all},
        {glyph.name: glyph.split for glyph in glyphs.all},
        settings.glyph_size,
    )


def group(cuts: Sequence[Cut], alike: float) -> dict[str, int]:
    """Families of glyphs by name: those that look alike, or whose names end in the same word."""
    family = list(range(len(cuts)))

    def root(index: int) -> int:
        while family[index] != index:
            index = family[index]
        return index

    first: dict[str, int] = {}
    for index, cut in enumerate(cuts):
        word = cut.name.split()[-1].removesuffix("s")
        family[root(index)] = root(first.setdefault(word, index))
    for a, b in zip(
        *np.nonzero(np.triu(similarity([c.pixels for c in cuts]), 1) > alike), strict=True
    ):
        family[root(int(b))] = root(int(a))
    return {cut.name: root(index) for index, cut in enumerate(cuts)}


def split(families: Mapping[str, int], settings: ArtworkSettings, seed: int) -> dict[str, str]:
    """The split of each class: families are shuffled whole, and large ones are all base."""
    members: dict[int, list[str]] = defaultdict(list)
    for name, family in families.items():
        members[family].append(name)
    shuffled = sorted(
        family for family in members if len(members[family]) <= settings.largest_shuffled
    )
    np.random.default_rng(seed).shuffle(shuffled)
    wanted = {
        "novel": round(settings.novel * len(families)),
        "validation": round(settings.validation * len(families)),
    }
    splits = dict.fromkeys(families, "base")
    for family in shuffled:
        for name, left in wanted.items():
            if len(members[family]) <= left:
                splits |= dict.fromkeys(members[family], name)
                wanted[name] = left - len(members[family])
                break
    return splits


def _distinct(cuts: list[Cut], duplicate: float) -> list[Cut]:
    """The glyphs without the later one of any two that look the same."""
    alike = np.triu(similarity([cut.pixels for cut in cuts]), 1) > duplicate
    return [cut for cut, twins in zip(cuts, alike.T, strict=True) if not twins.any()]


def _write_glyphs(
    folder: Path,
    cuts: Sequence[Cut],
    families: Mapping[str, int],
    splits: Mapping[str, str],
    size: int,
) -> None:
    """Write one sheet of square cells, row by row, and the list that says what is in each cell."""
    columns = int(np.ceil(np.sqrt(len(cuts))))
    rows = -(-len(cuts) // columns)
    sheet = Image.new("RGBA", (columns * size, rows * size))
    for index, cut in enumerate(cuts):
        scale = size / max(cut.pixels.size)
        width, height = (max(1, round(side * scale)) for side in cut.pixels.size)
        # Premultiplied, so that invisible colours do not bleed into the rim.
        small = cut.pixels.convert("RGBa").resize((width, height), Image.Resampling.LANCZOS)
        row, column = divmod(index, columns)
        corner = (column * size + (size - width) // 2, row * size + (size - height) // 2)
        sheet.paste(small.convert("RGBA"), corner)
    sheet.save(folder / "glyphs.webp", lossless=True, quality=100, method=6)
    numbers = {family: i for i, family in enumerate(dict.fromkeys(families.values()))}
    glyphs = [
        {
            "name": cut.name,
            "code": f"U+{cut.code:04X}",
            "split": splits[cut.name],
            "family": numbers[families[cut.name]],
        }
        for cut in cuts
    ]
    _write_json(folder / "glyphs.json", {"cell": size, "columns": columns, "glyphs": glyphs})


def _sources(settings: ArtworkSettings) -> dict[str, Any]:
    """Where every image and name comes from, and its licence."""
    names = font_names(Path(settings.font))
    return {
        "glyphs": {
            "what": "bitmaps of Noto Color Emoji, cut to what is visible and scaled",
            "version": names[5],
            "copyright": names[0],
            "licence": "OFL-1.1 (OFL.txt)",
            "source": "https://github.com/googlefonts/noto-emoji",
            "package": "fonts-noto-color-emoji (Debian)",
        },
        "names": {
            "what": "English names of the emoji, lower-cased, without punctuation",
            "version": version("emoji"),
            "licence": "BSD-3-Clause",
            "source": "https://github.com/carpedm20/emoji",
        },
        "photographs": [
            {
                **asdict(photo),
                "changed": "scaled down and recompressed" + (", cropped" if photo.cut else ""),
            }
            for photo in PHOTOS
        ],
    }


def _card(sources: Mapping[str, Any], counts: Mapping[str, int]) -> str:
    """The text that tells people what the data are."""
    glyphs = sources["glyphs"]
    rows = [
        f"| {photo['name']} | {photo['split']} | {photo['author']} | {_licence(photo['licence'])} "
        f"| {photo['source']} | {photo['package']} {photo['version']}, `{photo['file']}` |"
        for photo in sources["photographs"]
    ]
    lines = [
        "# Images of the mini pack",
        "",
        f"`glyphs.webp` holds {sum(counts.values())} glyphs of Noto Color Emoji, each a class:",
        f"{glyphs['version']}; {glyphs['copyright']} SIL Open Font License 1.1 (`OFL.txt`).",
        "Their names are those of the Python package emoji (BSD-3-Clause); `glyphs.json` says what",
        "is in each cell. Classes that look or are called alike are a family, which is not parted:",
        f"{counts['base']} classes are for training (base), {counts['validation']} for validation,",
        f"and {counts['novel']} for few-shot episodes and tests (novel).",
        "",
        "Photographs are backgrounds, and are split too. Each is scaled down and recompressed; its",
        "licence is stated by the package that carries it, Python's or Debian's. The SHA-256 of",
        "each file is in `sources.json`.",
        "",
        "| photograph | split | by | licence | source | from |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
        "The glyphs stay under the Open Font License, whatever they are composed with. Crops of a",
        "photograph stay under its licence, and so does what is composed on one under CC-BY-SA.",
    ]
    return "\n".join(lines) + "\n"


def _licence(name: str) -> str:
    """A Creative Commons licence with the link that its terms ask for; another as it stands.

    >>> _licence("CC-BY-SA-3.0")
    '[CC-BY-SA-3.0](https://creativecommons.org/licenses/by-sa/3.0/)'
    """
    if name == "CC0-1.0":
        return f"[{name}](https://creativecommons.org/publicdomain/zero/1.0/)"
    if not name.startswith("CC-"):
        return name
    terms, _, edition = name.removeprefix("CC-").lower().rpartition("-")
    return f"[{name}](https://creativecommons.org/licenses/{terms}/{edition}/)"


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
