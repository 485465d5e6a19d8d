"""Artwork: the pictures of the `mini` pack, from what an emoji font and two Python packages ship.

Glyphs are the bitmaps of Noto Color Emoji with their own alpha, one class each, called by their
English names. Photographs are those that scikit-image and scikit-learn carry inside their wheels
and for which those packages' own documentation states a licence; the others stay out.
"""

import io
import json
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from frostbench.plugins.recipe import Report, Workshop

Pixels = NDArray[np.uint8]

FONT = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")


@dataclass(frozen=True)
class ArtworkSettings:
    """How the artwork is cut, split and stored."""

    font: str = str(FONT)
    glyph_size: int = 56  # pixels; the longer side of a glyph's visible part
    photo_side: int = 320  # pixels; the shorter side of a stored photograph
    photo_quality: int = 90  # WebP
    duplicate: float = 0.95  # similarity from which the later of two glyphs is left out
    alike: float = 0.92  # similarity from which two glyphs belong to one family
    largest_shuffled: int = 5  # a larger family goes to the base split whole
    validation: float = 0.08
    novel: float = 0.12


@dataclass(frozen=True)
class PhotoSource:
    """A photograph, where its file lies in its package, and on what terms it may be passed on."""

    name: str
    split: str
    package: str
    file: str
    licence: str
    author: str
    source: str


_SKIMAGE, _SKLEARN = "skimage/data", "sklearn/datasets/images"

PHOTOS = (
    PhotoSource(
        *("astronaut", "train", _SKIMAGE, "astronaut.png", "public domain"),
        *("NASA", "https://flic.kr/p/r9qvLn"),
    ),
    PhotoSource(
        *("coffee", "train", _SKIMAGE, "coffee.png", "CC0-1.0"),
        *("Rachel Michetti, courtesy of Pikolo Espresso Bar", "scikit-image"),
    ),
    PhotoSource(
        *("china", "train", _SKLEARN, "china.jpg", "CC-BY-2.0"),
        *("danielbuechele", "https://www.flickr.com/photos/danielbuechele/6061409035/"),
    ),
    PhotoSource(
        *("hubble", "train", _SKIMAGE, "hubble_deep_field.jpg", "public domain"),
        *("NASA", "http://hubblesite.org/newscenter/archive/releases/2012/37/image/a/"),
    ),
    PhotoSource(
        *("camera", "train", _SKIMAGE, "camera.png", "CC0-1.0"),
        *("Lav Varshney", "https://github.com/scikit-image/scikit-image/issues/3927"),
    ),
    PhotoSource(
        *("brick", "train", _SKIMAGE, "brick.png", "CC0-1.0"),
        *("CC0Textures", "https://cc0textures.com/view.php?tex=Bricks25"),
    ),
    PhotoSource(
        *("grass", "train", _SKIMAGE, "grass.png", "CC0-1.0"),
        *("linolafett", "https://www.deviantart.com/linolafett/art/Grass-01-434853879"),
    ),
    PhotoSource(
        *("gravel", "train", _SKIMAGE, "gravel.png", "CC0-1.0"),
        *("CC0Textures", "https://cc0textures.com/view.php?tex=Gravel04"),
    ),
    PhotoSource(
        *("retina", "validation", _SKIMAGE, "retina.jpg", "CC0-1.0"),
        "Mikael Häggström",
        "https://commons.wikimedia.org/wiki/File:Fundus_photograph_of_normal_left_eye.jpg",
    ),
    PhotoSource(
        *("clock", "validation", _SKIMAGE, "clock_motion.png", "public domain"),
        *("Stefan van der Walt", "scikit-image"),
    ),
    PhotoSource(
        *("chelsea", "test", _SKIMAGE, "chelsea.png", "CC0-1.0"),
        *("Stefan van der Walt", "scikit-image"),
    ),
    PhotoSource(
        *("rocket", "test", _SKIMAGE, "rocket.jpg", "public domain"),
        *("SpaceX", "https://www.flickr.com/photos/spacexphotos/16511594820/"),
    ),
    PhotoSource(
        *("flower", "test", _SKLEARN, "flower.jpg", "CC-BY-2.0"),
        *("vultilion", "https://www.flickr.com/photos/vultilion/6056698931/"),
    ),
)

# Left out: no licence stated (moon, page, color, logo, lfw_subset, motorcycle), or only "no known
# copyright restrictions" (ihc, coins).

# Emoji that are letters, signs, plain shapes, or one of a series that differs in a detail:
# closed ranges of code points.
_SIGNS = (
    *((0x00A9, 0x21AA), (0x23CF, 0x23EF), (0x23F8, 0x25FE), (0x2611, 0x2611), (0x2622, 0x2653)),
    *((0x2660, 0x2668), (0x267B, 0x267F), (0x2695, 0x2695), (0x269B, 0x26AB), (0x26CE, 0x26CE)),
    *((0x26D4, 0x26D4), (0x2714, 0x2721), (0x2733, 0x2734), (0x2747, 0x2763), (0x2795, 0x2797)),
    *((0x27A1, 0x2B1C), (0x2B55, 0x3299), (0x1F170, 0x1F251), (0x1F312, 0x1F312)),
    *((0x1F314, 0x1F314), (0x1F316, 0x1F318), (0x1F3A6, 0x1F3A6), (0x1F3E7, 0x1F3E7)),
    *((0x1F4A0, 0x1F4A0), (0x1F4A2, 0x1F4A2), (0x1F4A4, 0x1F4A4), (0x1F4AE, 0x1F4AF)),
    *((0x1F4B1, 0x1F4B2), (0x1F4F2, 0x1F4F6), (0x1F500, 0x1F506), (0x1F515, 0x1F515)),
    *((0x1F518, 0x1F524), (0x1F52F, 0x1F549), (0x1F550, 0x1F567), (0x1F595, 0x1F595)),
    *((0x1F6AB, 0x1F6AB), (0x1F6AD, 0x1F6B1), (0x1F6B3, 0x1F6B3), (0x1F6B7, 0x1F6BC)),
    *((0x1F6BE, 0x1F6BE), (0x1F6C2, 0x1F6C5), (0x1F6D0, 0x1F6D0), (0x1F6DC, 0x1F6DC)),
    *((0x1F7E0, 0x1F7F0), (0x1FAAF, 0x1FAAF)),
)


@dataclass(frozen=True, eq=False)
class Cut:
    """A glyph as the font draws it, cut to its visible part: RGBA, and its name and code point."""

    name: str
    code: int
    pixels: Image.Image


def train(workshop: Workshop) -> Report:
    """Write `packs/<pack>/data`: glyphs, photographs, their names, splits, sources and licences.

    Raises:
        FileNotFoundError: the font or a package that carries the photographs is not installed.
    """
    settings = ArtworkSettings(**_typed(workshop.settings))
    folder = workshop.pack / "data"
    (folder / "photos").mkdir(parents=True, exist_ok=True)
    cuts = _distinct(list(read_font(Path(settings.font))), settings.duplicate)
    families = group(cuts, settings.alike)
    splits = split(families, settings, workshop.seed)
    _write_glyphs(folder, cuts, families, splits, settings)
    _write_photos(folder, settings)
    _write_sources(folder, settings)
    counts = Counter(splits.values())
    for name, count in sorted(counts.items()):
        workshop.log(f"data: {count} glyph classes in split {name}")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return Report(
        steps=0,
        seconds=0.0,
        figures={
            "classes": len(cuts),
            **{f"classes[{name}]": count for name, count in sorted(counts.items())},
            "families": len(set(families.values())),
            "photographs": len(PHOTOS),
            "megabytes": round(size / 1e6, 2),
        },
        settings=asdict(settings),
    )


def read_font(font: Path) -> Iterator[Cut]:
    """Glyphs of a CBDT colour font that stand for things, in the order of their code points.

    Only single code points count: skin tones, genders, families, flags of countries and key caps
    are sequences.
    """
    import emoji
    from fontTools.ttLib import TTFont

    if not font.exists():
        raise FileNotFoundError(
            f"no font at {font}; the Debian package fonts-noto-color-emoji installs it, "
            "or give its place with the setting font=PATH."
        )
    file = TTFont(font)
    bitmaps, names = file["CBDT"].strikeData[0], file.getBestCmap()
    seen: set[str] = set()
    whole = {
        ord(text[0]): entry["en"]
        for text, entry in emoji.EMOJI_DATA.items()
        if len(text.replace("\ufe0f", "")) == 1
        and entry["status"] == emoji.STATUS["fully_qualified"]
    }
    for code in sorted(whole):
        glyph, name = bitmaps.get(names.get(code, "")), plain_name(whole[code])
        sign = any(low <= code <= high for low, high in _SIGNS)
        if glyph is None or sign or not name or name in seen:
            continue
        picture = Image.open(io.BytesIO(glyph.imageData)).convert("RGBA")
        box = picture.getchannel("A").point(lambda value: 255 * (value > 8)).getbbox()
        if box is not None:
            seen.add(name)
            yield Cut(name, code, picture.crop(box))


def plain_name(entry: str) -> str:
    """An emoji's name as lower-case words of the letters a to z; empty where it has digits.

    >>> plain_name(":piñata:"), plain_name(":jack-o-lantern:"), plain_name(":woman’s_hat:")
    ('pinata', 'jack o lantern', 'womans hat')
    """
    folded = unicodedata.normalize("NFKD", entry.lower().replace("’", "").replace(".", ""))
    letters = "".join(c for c in folded if not unicodedata.combining(c))
    words = letters.replace("_", " ").replace("-", " ").replace(":", "").split()
    return " ".join(words) if all(word.isascii() and word.isalpha() for word in words) else ""


def similarity(pictures: Sequence[Image.Image]) -> NDArray[np.float32]:
    """How alike glyphs look, pairwise, in [-1, 1].

    It is the correlation of colour and alpha at 16x16 pixels, each weighed alike.
    """
    rows = []
    for picture in pictures:
        small = picture.resize((16, 16), Image.Resampling.BOX)
        values = np.asarray(small, dtype=np.float32) / 255
        alpha = values[..., 3:]
        centred = np.concatenate([(values[..., :3] - 0.5) * alpha, 0.25 * (alpha - 0.5)], axis=-1)
        rows.append(centred.ravel() / np.linalg.norm(centred))
    stacked = np.stack(rows)
    product: NDArray[np.float32] = stacked @ stacked.T
    return product


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
    """Without the later of any two that look the same."""
    alike = np.triu(similarity([cut.pixels for cut in cuts]), 1) > duplicate
    return [cut for cut, twins in zip(cuts, alike.T, strict=True) if not twins.any()]


def _write_glyphs(
    folder: Path,
    cuts: Sequence[Cut],
    families: Mapping[str, int],
    splits: Mapping[str, str],
    settings: ArtworkSettings,
) -> None:
    """One sheet of square cells, row by row, and the list that says what is in each cell."""
    size = settings.glyph_size
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


def _write_photos(folder: Path, settings: ArtworkSettings) -> None:
    for photo in PHOTOS:
        picture = Image.open(_package_folder(photo.package) / photo.file).convert("RGB")
        if photo.name == "retina":  # the square inside the disc, without its black surround
            side = picture.width
            cut = round(side * 0.16)
            picture = picture.crop((cut, cut, side - cut, side - cut))
        scale = min(1.0, settings.photo_side / min(picture.size))
        size = (round(picture.width * scale), round(picture.height * scale))
        small = picture.resize(size, Image.Resampling.LANCZOS)
        path = folder / "photos" / f"{photo.name}.webp"
        small.save(path, quality=settings.photo_quality, method=6)


def _package_folder(folder: str) -> Path:
    import importlib.util

    package, _, rest = folder.partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            f"the photographs of {package} are wanted and {package} is not installed; "
            "install frostbench[train]."
        )
    return Path(spec.origin).parent / rest


def _write_sources(folder: Path, settings: ArtworkSettings) -> None:
    from importlib.metadata import version

    from fontTools.ttLib import TTFont

    file = TTFont(settings.font)
    names = {record.nameID: record.toUnicode() for record in file["name"].names}
    sources = {
        "glyphs": {
            "what": "bitmaps of Noto Color Emoji, cut, scaled to cells, and nothing else",
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
                "package": "scikit-image" if photo.package == _SKIMAGE else "scikit-learn",
                "version": version("scikit-image" if photo.package == _SKIMAGE else "scikit-learn"),
                "changed": "scaled down and recompressed"
                + (", cropped" if photo.name == "retina" else ""),
            }
            for photo in PHOTOS
        ],
    }
    _write_json(folder / "sources.json", sources)
    licence = (Path(__file__).parent / "OFL.txt").read_text(encoding="utf-8")
    (folder / "OFL.txt").write_text(f"{names[0]}\n\n{licence}", encoding="utf-8")


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _typed(settings: Mapping[str, str]) -> dict[str, Any]:
    """Overrides as the types of the fields that they override."""
    defaults = asdict(ArtworkSettings())
    unknown = sorted(set(settings) - set(defaults))
    if unknown:
        raise KeyError(
            f"the data recipe has no setting {unknown[0]!r}; it has {', '.join(defaults)}."
        )
    return {key: type(defaults[key])(value) for key, value in settings.items()}
