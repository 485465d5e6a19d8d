"""One image read by a method: its words, the nearest words, and the reconstruction."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from frostbench.bench.leaderboard.words import PartWords, words_of
from frostbench.plugins.contract.engine import Engine
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.method import Method
from frostbench.plugins.contract.predictions import ImagePrediction
from frostbench.plugins.contract.requests import Reconstruct
from frostbench.plugins.contract.tokens import VisualTokens, discrete_ids, sentences_of
from frostbench.plugins.engine.answer import answer, tokenized
from frostbench.plugins.host.containment import Call, contain
from frostbench.plugins.host.errors import PluginFailedError, describe

T = TypeVar("T")
Psnr: TypeAlias = Callable[[ImagePrediction, Image], float]


@dataclass(frozen=True, eq=False)
class Returned:
    """The reconstruction of the image, and its PSNR (`psnr[rgb]`) in dB."""

    pixels: Float[Tensor, "3 h w"]
    decibels: float


@dataclass(frozen=True, eq=False)
class Look:
    """One image in one method's words.

    `tokens` counts the discrete tokens, `sentences` the texts; `reconstruction` is None where the
    method gives no images back, and `reason` says why.
    """

    method: str
    summary: str
    paper: str
    notes: tuple[str, ...]
    words: tuple[PartWords, ...]
    tokens: int
    reconstruction: Returned | None
    reason: str
    sentences: int = 0

    @property
    def amount(self) -> str:
        """The size of the image: "64 tokens", "5 sentences"."""
        said = [f"{self.tokens} tokens"] if self.tokens or not self.sentences else []
        return " and ".join([*said, *([f"{self.sentences} sentences"] if self.sentences else [])])


def read(method: Method, image: Image, nearest: int, engine: Engine, psnr: Psnr) -> Look:
    """Tokenize an image, and ask for its words, the `nearest` to each, and the image back.

    `psnr` measures how near the reconstruction is to the image (`psnr[rgb]`).

    Raises:
        PluginFailedError: the method raised.
        ValueError: it has no words, or cells smaller than a pixel.
    """
    card, sizes = method.card, torch.tensor([image.size])
    batch = image.pixels[None]
    tokens = _of(method, "tokenize", lambda: tokenized(method, [image]))[image]
    words = _of(method, "words", lambda: method.words(tokens))
    if not any(row for rows in words.values() for row in rows):
        kinds = ", ".join(f"{name} ({type(part).__name__})" for name, part in tokens.parts.items())
        raise ValueError(
            f"method {card.name!r} has no words to look at: its visual tokens are {kinds}."
        )
    near = _of(method, "neighbours", lambda: method.neighbours(batch, sizes, nearest)[0])
    parts = words_of(words, near)
    _check_size(card.name, image, parts)
    return Look(
        method=card.name,
        summary=card.summary,
        paper=card.paper,
        notes=_of(method, "notes", lambda: tuple(map(str, method.notes))),
        words=parts,
        tokens=len(discrete_ids(tokens)[0]),
        sentences=len(sentences_of(tokens)[0]),
        reconstruction=_reconstruction(method, image, tokens, engine, psnr),
        reason="" if "Reconstruct" in card.capabilities else card.reason("Reconstruct"),
    )


def _check_size(name: str, image: Image, parts: tuple[PartWords, ...]) -> None:
    layers = [layer for part in parts if part.on_image for layer in part.layers]
    rows = max((len(layer.rows) for layer in layers), default=1)
    columns = max((layer.columns for layer in layers), default=1)
    height, width = image.size
    if height < rows or width < columns:
        raise ValueError(
            f"{image.name or 'the image'} has {height} × {width} pixels, and {name} reads "
            f"{rows} × {columns} cells: a cell would be less than a pixel. Give an image of at "
            f"least {rows} × {columns} pixels."
        )


def _reconstruction(
    method: Method, image: Image, tokens: VisualTokens, engine: Engine, psnr: Psnr
) -> Returned | None:
    if "Reconstruct" not in method.card.capabilities:
        return None
    request = Reconstruct("look", image)
    shown = {image: tokens}
    (made,) = _of(method, "reconstruction", lambda: answer(method, [request], engine, shown))
    assert isinstance(made, ImagePrediction)
    return Returned(made.pixels, psnr(made, image))


def _of(method: Method, verb: str, call: Callable[[], T]) -> T:
    """Call an author's code; its errors name the method."""
    try:
        return contain(Call("method", method.card.name, verb), call)
    except Exception as error:
        raise PluginFailedError(
            f"method {method.card.name!r}, {verb}: {describe(error)}"
        ) from error
