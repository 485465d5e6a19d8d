"""LQAE as a method: an image in words of one language model, read by another.

Liu, Yan, Abbeel, NeurIPS 2023, https://arxiv.org/abs/2302.00902. The published repository has no
prompts; how images are shown is taken from descriptions of later work (unverified).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isqrt

import torch
from jaxtyping import Float, Int
from torch import Tensor

from frostbench.baselines.lqae.card import CARD
from frostbench.baselines.lqae.channel import Channel, codes
from frostbench.baselines.lqae.model import LQAE, LQAESettings, check_sizes
from frostbench.baselines.lqae.vit import ViTSettings
from frostbench.baselines.lqae.weights import load
from frostbench.plugins.backbones.checksum import checksum
from frostbench.plugins.backbones.masked_lm import MaskedLM
from frostbench.plugins.contract.method import Setup
from frostbench.plugins.contract.prompts import Piece, Text
from frostbench.plugins.contract.tokens import Grid, VisualTokens
from frostbench.plugins.host.settings import read_settings
from frostbench.plugins.parts.prompting.language import Language
from frostbench.plugins.parts.prompting.method import DiscreteMethod, DiscretePrompting
from frostbench.plugins.parts.prompting.shared_vocabulary import share_vocabulary
from frostbench.plugins.parts.tokenizing.fingerprint import fingerprint
from frostbench.plugins.parts.tokenizing.one_by_one import by_row
from frostbench.plugins.parts.tokenizing.resizing import to_square


@dataclass(frozen=True)
class LQAEMethodSettings(DiscretePrompting):
    """How words are shown.

    Attributes:
        budget: How many of an image's words a prompt shows, evenly taken from the grid. None is
            all of them, 256 of the published model (unverified: prompts with the paper's whole grid
            fit no model of its time, and the paper does not say what was left out).
        raw_join: Show tokens joined as the masked language model itself writes them. Otherwise each
            is stripped of blanks, and words are separated by single blanks. Unverified: nothing is
            published.
    """

    budget: int | None = None
    raw_join: bool = False


class LQAEMethod(DiscreteMethod):
    """One token of the masked language model a grid cell, which the reading model also has."""

    card = CARD

    def __init__(
        self,
        model: LQAE,
        mlm: MaskedLM,
        language: Language,
        settings: LQAEMethodSettings,
        device: str = "cpu",
    ) -> None:
        """Put trained networks around a masked language model, beside one that reads the words.

        Raises:
            ValueError: the networks do not fit the masked language model, the two language models
                share hardly any words, or an image has fewer words than a prompt is to show.
        """
        sizes = model.settings
        check_sizes(sizes, mlm)
        self._cells = sizes.network.side**2
        if settings.budget is not None and not 0 < settings.budget <= self._cells:
            raise ValueError(
                f"budget is {settings.budget}, and an image has {self._cells} words; show at "
                "least one and no more than there are."
            )
        self._model = model.to(device).eval().requires_grad_(False)
        self._device = device
        self.prompting = settings
        self._budget, self._raw_join = settings.budget or self._cells, settings.raw_join
        self.language = language
        allowed = codes(mlm, ban_special=sizes.ban_special, ban_unreadable=sizes.ban_unreadable)
        # Restoration maps a word with its blank: " dog" is another token than "dog".
        self._shared_words = share_vocabulary([mlm.decode([token]) for token in allowed], language)
        self.token_map = self._shared_words.token_map
        tokens = [allowed[row] for row in self._shared_words.rows]
        self._channel = Channel(mlm, tokens, sizes.lm_output)
        self._tokens = tuple(tokens)
        self.vocabulary = tuple(mlm.decode([token]).strip() for token in tokens)

    @classmethod
    def build(cls, setup: Setup) -> "LQAEMethod":
        """Load the pack's weights."""
        folder = setup.folder(cls.card.name)
        settings = read_settings(LQAEMethodSettings, setup.settings, "method.lqae")
        mlm, llm = setup.backbones.get("mlm"), setup.backbones.get("llm")
        return cls(load(folder), mlm, llm, settings, setup.device)

    @classmethod
    def toy(cls) -> "LQAEMethod":
        """Random weights, images of 16x16, 4x4 words."""
        from frostbench.plugins.kit import toys

        backbones = toys.backbones()
        mlm = backbones.get("mlm")
        network = ViTSettings(
            image_size=16,
            patch=4,
            width=mlm.width,
            layers=1,
            heads=2,
            inner=32,
            spread=0.2,
        )
        with toys.seeded():
            model = LQAE(LQAESettings(network))
        return cls(model, mlm, backbones.get("llm"), LQAEMethodSettings(budget=5))

    @cached_property
    def fingerprint(self) -> str:
        """Of the weights, of the masked language model, and of the words that may be used."""
        return fingerprint(
            method=self.card.name,
            version=self.card.version,
            weights=checksum(self._model),
            mlm=checksum(self._channel.mlm.model),
            tokens=repr(self._tokens),
            output=self._channel.output,
        )

    @property
    def notes(self) -> Sequence[str]:
        """How many words have no token, and how many tokens a word takes in prompts."""
        words = set(self.vocabulary)
        pieces = sum(len(self.language.encode(f" {word}")) for word in words) / len(words)
        return (
            *self._shared_words.notes("lqae"),
            f"a word of lqae's masked language model takes {pieces:.2f} tokens of this language "
            "model on average where a prompt shows it.",
        )

    @property
    def shortened_by(self) -> Sequence[str]:
        """The number of words shown."""
        return ("budget",)

    def tokenize(self, images: Float[Tensor, "b 3 h w"], sizes: Int[Tensor, "b 2"]) -> VisualTokens:
        """Images as grids of codes, the words that both language models have."""
        ids = by_row(
            lambda squares: self._model.encode(squares, self._channel), self._square(images, sizes)
        )
        return VisualTokens({self.grid_part: Grid(ids.cpu())})

    def shown(self, tokens: VisualTokens) -> tuple[Piece, ...]:
        """The image's words, or some of them evenly taken from the grid."""
        grid = tokens.grid(self.grid_part)[0]
        places = evenly(self._budget, *grid.shape)
        chosen: list[int] = grid.flatten()[torch.tensor(places)].tolist()
        if self._raw_join:
            return (Text(self._channel.mlm.decode([self._tokens[code] for code in chosen])),)
        return (Text(" ".join(self.vocabulary[code] for code in chosen)),)

    def render(self, tokens: VisualTokens) -> Float[Tensor, "b 3 h w"]:
        """Images from codes, through the masked language model."""
        grids = tokens.grid(self.grid_part).to(self._device)
        return by_row(lambda ids: self._model.decode(ids, self._channel), grids)

    def words(self, tokens: VisualTokens) -> Mapping[str, Sequence[Sequence[str]]]:
        """The words, row by row; they were not trained to describe what the image shows."""
        grid: list[list[int]] = tokens.grid(self.grid_part)[0].tolist()
        return {self.grid_part: [[self.vocabulary[code] for code in row] for row in grid]}

    def neighbours(
        self, images: Float[Tensor, "b 3 h w"], sizes: Int[Tensor, "b 2"], count: int
    ) -> list[Mapping[str, Sequence[Sequence[Sequence[str]]]]]:
        """The words nearest to each cell by direction."""
        found = by_row(
            lambda squares: self._channel.nearest_several(self._model.encoder(squares), count),
            self._square(images, sizes),
        )
        grids: list[list[list[list[int]]]] = found.tolist()
        return [
            {
                self.grid_part: [
                    [[self.vocabulary[code] for code in cell] for cell in row] for row in grid
                ]
            }
            for grid in grids
        ]

    def _square(
        self, images: Float[Tensor, "b 3 h w"], sizes: Int[Tensor, "b 2"]
    ) -> Float[Tensor, "b 3 side side"]:
        side = self._model.settings.network.image_size
        return to_square(images, sizes, side).to(self._device)


def evenly(count: int, rows: int, columns: int) -> list[int]:
    """The places, row by row, of `count` cells spread evenly over a grid, or of all cells.

    The number of rows used makes the spacing about square, and rows share the count.

    >>> evenly(4, 4, 4)
    [5, 7, 13, 15]
    >>> evenly(5, 4, 4)
    [5, 7, 12, 14, 15]
    """
    if count == rows * columns:
        return list(range(count))
    lines = min(rows, isqrt(count * rows // columns) or 1)
    lines = max(lines, -(-count // columns))
    places = []
    for line in range(lines):
        row = (2 * line + 1) * rows // (2 * lines)
        share = count * (line + 1) // lines - count * line // lines
        places += [row * columns + (2 * k + 1) * columns // (2 * share) for k in range(share)]
    return places
