"""VQ-GAN as a method: learned codes, shown to a language model as ids without meaning.

Esser, Rombach, Ommer, CVPR 2021, https://arxiv.org/abs/2012.09841. The paper has no language
model: this is the non-linguistic baseline of the V2L-Tokenizer paper (Zhu et al., CVPR 2024,
https://arxiv.org/abs/2403.07874), for which no code was published. Prompts are V2L's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from frostbench.baselines.vqgan.card import CARD
from frostbench.baselines.vqgan.model import VQGAN, VQGANSettings
from frostbench.baselines.vqgan.weights import load
from frostbench.plugins.backbones.checksum import checksum
from frostbench.plugins.contract.method import Setup
from frostbench.plugins.contract.prompts import Ids, Piece
from frostbench.plugins.contract.tokens import Grid, VisualTokens
from frostbench.plugins.host.settings import read_settings
from frostbench.plugins.parts.autoencoder.settings import TINY
from frostbench.plugins.parts.prompting.language import Language
from frostbench.plugins.parts.prompting.method import DiscreteMethod, DiscretePrompting, as_unit
from frostbench.plugins.parts.prompting.token_map import CodeToId, map_codes
from frostbench.plugins.parts.tokenizing.fingerprint import fingerprint
from frostbench.plugins.parts.tokenizing.one_by_one import by_row
from frostbench.plugins.parts.tokenizing.resizing import to_square


@dataclass(frozen=True)
class VQGANMethodSettings(DiscretePrompting):
    """How images are read, and how codes are shown.

    Attributes:
        image_size: Side, in pixels, of the square that an image is resized to. None is the
            networks' nominal size: 256 for the published weights.
        code_to_id: Which ids stand for codes; see `map_codes`. Nothing is published; "identity" is
            what V2L's code does with a learned table. It also uses the ids of special and byte
            tokens, which "offset" from `first_id` on leaves out.
        first_id: The lowest id that stands for a code, for "offset" and "permutation".
    """

    image_size: int | None = None
    code_to_id: CodeToId = "identity"
    first_id: int = 0


class VQGANMethod(DiscreteMethod):
    """One code a cell; the language model sees the codes as ids."""

    card = CARD

    def __init__(
        self, model: VQGAN, language: Language, settings: VQGANMethodSettings, device: str = "cpu"
    ) -> None:
        """Put a trained model beside a language model's tokens.

        Raises:
            ValueError: the size of images does not suit the networks, or the language model has
                fewer ids than the codes need.
        """
        self._model = model.to(device).eval().requires_grad_(False)
        self._device = device
        self._side = model.settings.network.side(settings.image_size)
        self.language = language
        codes = model.settings.codes
        self.token_map = map_codes(
            codes, language.vocabulary_size, settings.code_to_id, settings.first_id
        )
        self.prompting = settings

    @classmethod
    def build(cls, setup: Setup) -> "VQGANMethod":
        """Load the pack's weights, and map codes to ids of its language model."""
        folder = setup.folder(cls.card.name)
        settings = read_settings(VQGANMethodSettings, setup.settings, "method.vqgan")
        return cls(load(folder), setup.backbones.get("llm"), settings, setup.device)

    @classmethod
    def toy(cls) -> "VQGANMethod":
        """Random weights, images of 16x16, 4x4 codes out of 32."""
        from frostbench.plugins.kit import toys

        with toys.seeded():
            model = VQGAN(VQGANSettings(TINY, codes=32, embed_width=4))
            torch.nn.init.normal_(model.codebook)
        return cls(model, toys.backbones().get("llm"), VQGANMethodSettings())

    @cached_property
    def fingerprint(self) -> str:
        """Of the weights and of the size that images are resized to."""
        return fingerprint(
            method=self.card.name,
            version=self.card.version,
            weights=checksum(self._model),
            image_size=self._side,
        )

    def tokenize(self, images: Float[Tensor, "b 3 h w"], sizes: Int[Tensor, "b 2"]) -> VisualTokens:
        """Images as grids of codes."""
        squares = to_square(images, sizes, self._side).to(self._device)
        ids = by_row(self._model.encode, squares * 2 - 1)
        return VisualTokens({self.grid_part: Grid(ids.cpu())})

    def shown(self, tokens: VisualTokens) -> tuple[Piece, ...]:
        """All codes, row by row, as ids."""
        return (Ids(tuple(self.token_map.ids_of(tokens.grid(self.grid_part)))),)

    def render(self, tokens: VisualTokens) -> Float[Tensor, "b 3 h w"]:
        """Images from codes."""
        grids = tokens.grid(self.grid_part).to(self._device)
        return as_unit(by_row(self._model.decode, grids))

    def words(self, tokens: VisualTokens) -> Mapping[str, Sequence[Sequence[str]]]:
        """The tokens that stand for the codes; their texts are unrelated to the image."""
        grid: list[list[int]] = tokens.grid(self.grid_part)[0].tolist()
        return {self.grid_part: [[self._word(code) for code in row] for row in grid]}

    def neighbours(
        self, images: Float[Tensor, "b 3 h w"], sizes: Int[Tensor, "b 2"], count: int
    ) -> list[Mapping[str, Sequence[Sequence[Sequence[str]]]]]:
        """The tokens that stand for the nearest codes of each cell."""
        squares = to_square(images, sizes, self._side).to(self._device)
        found = by_row(partial(self._model.several, count=count), squares * 2 - 1).tolist()

        def shared_words(cell: list[int]) -> list[str]:
            return [self._word(code) for code in cell]

        return [
            {self.grid_part: [[shared_words(cell) for cell in row] for row in one]} for one in found
        ]

    def _word(self, code: int) -> str:
        """The token that stands for a code."""
        return self.language.decode([self.token_map.ids[code]])
