"""The types of a gallery: a shelf for each task, a strip for each sample, a tile for each image."""

from dataclasses import dataclass

from frostbench.bench.leaderboard.drawn import Drawn
from frostbench.bench.leaderboard.words import PartWords


@dataclass(frozen=True)
class AskedPiece:
    """A piece of the question; a phrase or class has the colour of its answer."""

    text: str
    colour: int | None = None


@dataclass(frozen=True)
class Tile:
    """One image of a strip, or the reason why there is none.

    `drawn` lies over the image, whose height and width are `size`.
    """

    label: str
    role: str  # "given", "method", "control", "target"
    picture: str | None
    note: str = ""
    drawn: tuple[Drawn, ...] = ()
    size: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Answered:
    """What one method or control answered in words."""

    label: str
    is_control: bool
    text: str
    right: bool | None
    note: str = ""


@dataclass(frozen=True)
class WordsOnImage:
    """The words that the image became for one method, and the image that they lie on."""

    method: str
    words: tuple[PartWords, ...]
    picture: str | None


@dataclass(frozen=True)
class Strip:
    """One sample: its images, or its image with answers, and its words.

    `asked` is the request's text, cut at phrases. `apart` is how much the methods' scores differ
    or, where they are equal, how many different answers there are.
    """

    sample: str
    tiles: tuple[Tile, ...]
    target: str | None
    answers: tuple[Answered, ...]
    readings: tuple[WordsOnImage, ...]
    asked: tuple[AskedPiece, ...] = ()
    apart: float = 0.0

    @property
    def outlined(self) -> bool:
        """Whether masks or boxes lie over its images."""
        return any(tile.drawn for tile in self.tiles)


@dataclass(frozen=True)
class Shelf:
    """The strips of one task and protocol."""

    suite: str
    task: str
    protocol: str | None
    run: str
    strips: tuple[Strip, ...]
