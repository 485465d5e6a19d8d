"""SPAE as a method: the upper layers of the pyramid to understand, all of it to restore.

Yu et al., NeurIPS 2023, https://arxiv.org/abs/2306.17842. The paper's exact prompts are not known;
those that its successors print are used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from frostbench.baselines.spae.card import CARD
from frostbench.baselines.spae.codebook import (
    CodebookSettings,
    CodebookWords,
    choose,
    input_rows,
    special_ids,
    standardised,
)
from frostbench.baselines.spae.model import SPAE, SPAESettings
from frostbench.baselines.spae.weights import load
from frostbench.plugins.backbones.checksum import checksum
from frostbench.plugins.contract.method import Setup
from frostbench.plugins.contract.prompts import Ids, Piece
from frostbench.plugins.contract.tokens import Pyramid, VisualTokens, tensors_of
from frostbench.plugins.host.settings import read_settings
from frostbench.plugins.parts.autoencoder.quantizer import nearest_several
from frostbench.plugins.parts.autoencoder.settings import TINY
from frostbench.plugins.parts.prompting.language import Language
from frostbench.plugins.parts.prompting.method import DiscreteMethod, DiscretePrompting, as_unit
from frostbench.plugins.parts.prompting.shared_vocabulary import share_vocabulary
from frostbench.plugins.parts.tokenizing.fingerprint import fingerprint
from frostbench.plugins.parts.tokenizing.one_by_one import by_row
from frostbench.plugins.parts.tokenizing.resizing import to_square


@dataclass(frozen=True)
class SPAEMethodSettings(DiscretePrompting):
    """How images are read, and how words are shown.

    Attributes:
        image_size: Side, in pixels, of the square that the encoder reads. None is the size that
            the pyramid was made for, and the only one: its layers are parts of one grid.
        shown_layers: Layers, from the first on, that a prompt shows in tasks of understanding.
            Published are 2 of them (5 words) and 3 (21 words).
    """

    image_size: int | None = None
    shown_layers: int = 2


class SPAEMethod(DiscreteMethod):
    """Words of the language model itself, layer by layer, row by row within a layer."""

    card = CARD
    grid_part = "pyramid"

    def __init__(
        self,
        model: SPAE,
        words: CodebookWords,
        language: Language,
        settings: SPAEMethodSettings,
        device: str = "cpu",
    ) -> None:
        """Put a trained tokenizer, its words and a language model's tokens together.

        Raises:
            ValueError: two of them do not fit: layers, size of images, words, vocabulary.
        """
        sizes = model.settings
        self._model = model.to(device).eval().requires_grad_(False)
        self._device = device
        self._words = words.texts
        self._side = sizes.image_size
        self._shown = settings.shown_layers
        if settings.image_size not in (None, self._side):
            raise ValueError(
                f"image_size is {settings.image_size}, and this pyramid of layers {sizes.layers} "
                f"is made of images of {self._side}x{self._side} pixels; leave image_size out."
            )
        if not 0 < self._shown <= len(sizes.layers):
            raise ValueError(
                f"shown_layers is {self._shown}: a prompt shows at least one and no more than the "
                f"{len(sizes.layers)} layers of the pyramid."
            )
        if len(words.texts) != sizes.words:
            raise ValueError(
                f"there are {len(words.texts)} words for {sizes.words} rows of the codebook; "
                "words.json and the weights are not of one training."
            )
        self.prompting = settings
        self.language = language
        self._shared_words = share_vocabulary(self._words, language)
        self._rows = torch.tensor(self._shared_words.rows, device=device)
        self.token_map = self._shared_words.token_map

    @classmethod
    def build(cls, setup: Setup) -> "SPAEMethod":
        """Load the pack's weights, and find the codebook's words among its language model's."""
        folder = setup.folder(cls.card.name)
        settings = read_settings(SPAEMethodSettings, setup.settings, "method.spae")
        language = setup.backbones.get("llm")
        return cls(load(folder), CodebookWords.load(folder), language, settings, setup.device)

    @classmethod
    def toy(cls) -> "SPAEMethod":
        """Random weights, images of 16x16, layers of 1, 4 and 16 words and 16 more."""
        from frostbench.plugins.kit import toys

        llm = toys.backbones().get("llm")
        codes = CodebookSettings()
        words = choose(llm, special_ids(llm), codes)
        sizes = SPAESettings(TINY, (1, 2, 4, 4), words=len(words.ids), width=llm.width)
        with toys.seeded():
            model = SPAE(sizes)
        model.set_codebook(standardised(input_rows(llm, words), codes.standardise))
        return cls(model, words, llm, SPAEMethodSettings())

    @cached_property
    def fingerprint(self) -> str:
        """Of the weights, and of the words that the language model lets the pyramid use."""
        return fingerprint(
            method=self.card.name,
            version=self.card.version,
            weights=checksum(self._model),
            rows=repr(self._shared_words.rows),
        )

    @property
    def notes(self) -> Sequence[str]:
        """A note on how much of the codebook another language model lacks."""
        return self._shared_words.notes(self.card.name)

    @property
    def shortened_by(self) -> Sequence[str]:
        """Fewer layers in a prompt."""
        return ("shown_layers",)

    def tokenize(self, images: Float[Tensor, "b 3 h w"], sizes: Int[Tensor, "b 2"]) -> VisualTokens:
        """Images as pyramids of words, counted among those that the language model has."""
        squares = to_square(images, sizes, self._side).to(self._device)
        flat = by_row(self._encode, squares * 2 - 1).cpu()
        sides = self._model.settings.layers
        parts = torch.split(flat, [side * side for side in sides], 1)
        pairs = zip(parts, sides, strict=True)
        layers = tuple(ids.reshape(len(ids), side, side) for ids, side in pairs)
        return VisualTokens({self.grid_part: Pyramid(layers)})

    def shown(self, tokens: VisualTokens) -> tuple[Piece, ...]:
        """The words of the upper layers as ids, layer by layer, row by row."""
        ids = [one for layer in self._upper(tokens) for one in self.token_map.ids_of(layer)]
        return (Ids(tuple(ids)),)

    def render(self, tokens: VisualTokens) -> Float[Tensor, "b 3 h w"]:
        """Images from pyramids, complete or cut after some layer."""
        layers = tensors_of(tokens.parts[self.grid_part])
        rows = [self._rows[layer.to(self._device)] for layer in layers]
        return as_unit(by_row(lambda *grids: self._model.decode(grids), *rows))

    def words(self, tokens: VisualTokens) -> Mapping[str, Sequence[Sequence[str]]]:
        """The words of each layer ("pyramid/1", ...), row by row."""
        layers = tensors_of(tokens.parts[self.grid_part])
        return {
            f"{self.grid_part}/{number}": [
                [self._word(code) for code in row] for row in layer[0].tolist()
            ]
            for number, layer in enumerate(layers, 1)
        }

    def neighbours(
        self, images: Float[Tensor, "b 3 h w"], sizes: Int[Tensor, "b 2"], count: int
    ) -> list[Mapping[str, Sequence[Sequence[Sequence[str]]]]]:
        """For each token the words nearest to what its layer looked up."""
        squares = to_square(images, sizes, self._side).to(self._device)
        found: list[Mapping[str, Sequence[Sequence[Sequence[str]]]]] = []
        for square in squares:
            with torch.no_grad():
                streamed = self._model.stream(square[None] * 2 - 1, self._rows)
            parts: dict[str, Sequence[Sequence[Sequence[str]]]] = {}
            codes = self._model.codes()[self._rows]
            pairs = zip(streamed.queries, self._model.settings.layers, strict=True)
            for number, (query, side) in enumerate(pairs, 1):
                near = nearest_several(query[0], codes, count).view(side, side, count)
                parts[f"{self.grid_part}/{number}"] = [
                    [[self._word(code) for code in cell] for cell in row] for row in near.tolist()
                ]
            found.append(parts)
        return found

    def spoken(self, tokens: VisualTokens) -> Sequence[str]:
        """The words of the upper layers, the first layer's before the next one's."""
        return [self._word(code) for layer in self._upper(tokens) for code in _listed(layer)]

    def _upper(self, tokens: VisualTokens) -> list[Int[Tensor, "_side _side"]]:
        """The layers of one image that a prompt shows."""
        return [layer[0] for layer in tensors_of(tokens.parts[self.grid_part])[: self._shown]]

    def _encode(self, squares: Float[Tensor, "b 3 h w"]) -> Int[Tensor, "b n"]:
        return torch.cat(self._model.stream(squares, self._rows).ids, 1)

    def _word(self, code: int) -> str:
        return self._words[self._shared_words.rows[code]]


def _listed(layer: Int[Tensor, "side side"]) -> list[int]:
    codes: list[int] = layer.flatten().tolist()
    return codes
