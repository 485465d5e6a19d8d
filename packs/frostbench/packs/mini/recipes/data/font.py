"""Glyphs of an emoji font: those that stand for things, with their English names."""

import io
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FONT = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")

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
        image = Image.open(io.BytesIO(glyph.imageData)).convert("RGBA")
        box = image.getchannel("A").point(lambda value: 255 * (value > 8)).getbbox()
        if box is not None:
            seen.add(name)
            yield Cut(name, code, image.crop(box))


def font_names(font: Path) -> dict[int, str]:
    """The font's own facts: 0 is the copyright, 5 the version."""
    from fontTools.ttLib import TTFont

    return {record.nameID: record.toUnicode() for record in TTFont(font)["name"].names}


def plain_name(entry: str) -> str:
    """An emoji's name as lower-case words of the letters a to z; empty where it has digits.

    >>> plain_name(":piñata:"), plain_name(":jack-o-lantern:"), plain_name(":woman’s_hat:")
    ('pinata', 'jack o lantern', 'womans hat')
    """
    folded = unicodedata.normalize("NFKD", entry.lower().replace("’", "").replace(".", ""))
    letters = "".join(c for c in folded if not unicodedata.combining(c))
    words = letters.replace("_", " ").replace("-", " ").replace(":", "").split()
    return " ".join(words) if all(word.isascii() and word.isalpha() for word in words) else ""


def similarity(images: Sequence[Image.Image]) -> NDArray[np.float32]:
    """How alike glyphs look, pairwise, in [-1, 1].

    It is the correlation of colour and alpha at 16x16 pixels, each weighed alike.
    """
    rows = []
    for image in images:
        small = image.resize((16, 16), Image.Resampling.BOX)
        values = np.asarray(small, dtype=np.float32) / 255
        alpha = values[..., 3:]
        centred = np.concatenate([(values[..., :3] - 0.5) * alpha, 0.25 * (alpha - 0.5)], axis=-1)
        rows.append(centred.ravel() / np.linalg.norm(centred))
    stacked = np.stack(rows)
    product: NDArray[np.float32] = stacked @ stacked.T
    return product
