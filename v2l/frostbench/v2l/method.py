"""V2L-Tokenizer as a method: images in the words of a frozen language model.

Zhu, Wei, Lu, "Beyond Text: Frozen Large Language Models in Visual Signal Comprehension",
CVPR 2024, https://arxiv.org/abs/2403.07874.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from frostbench.plugins.backbones.checksum import checksum
from frostbench.plugins.backbones.clip import Clip
from frostbench.plugins.contract.method import Setup
from frostbench.plugins.contract.prompts import Adapter, Piece, Text
from frostbench.plugins.contract.tokens import Grid, Ranked, VisualTokens
from frostbench.plugins.host.settings import read_settings
from frostbench.plugins.parts.autoencoder.quantizer import nearest, nearest_several
from frostbench.plugins.parts.autoencoder.settings import TINY
from frostbench.plugins.parts.prompting.language import Language
from frostbench.plugins.parts.prompting.method import DiscreteMethod, DiscretePrompting, as_unit
from frostbench.plugins.parts.prompting.shared_vocabulary import share_vocabulary
from frostbench.plugins.parts.tokenizing.fingerprint import fingerprint
from frostbench.plugins.parts.tokenizing.one_by_one import by_row
from frostbench.plugins.parts.tokenizing.resizing import to_square
from frostbench.v2l.card import CARD
from frostbench.v2l.codebook import load_words
from frostbench.v2l.model import V2LSettings, V2LTokenizer
from frostbench.v2l.weights import load

NO_ADAPTER = (
    "the pack has no adapter for this language model, so that the frozen model alone answers "
    "masked_restoration."
)


@dataclass(frozen=True)
class V2LMethodSettings(DiscretePrompting):
    """How images are read, and how words are shown.

    Attributes:
        image_size: Side, in pixels, of the square that the encoder reads. None is the networks'
            nominal size. The published weights have a nominal size of 256 and are used at 128.
        global_tokens: Global words of an image (K in the paper); the decoder sees all of them.
            None is the number that the weights were trained with, 21 in the published ones.
        shown_words: How many of them, the nearest first, a classification prompt shows. Published
            runs show 5 and 21.
        rounded: CLIP is shown images resized to 8 bits a channel, as in the published evaluation;
            otherwise images resized in floats.
    """

    image_size: int | None = None
    global_tokens: int | None = None
    shown_words: int = 5
    rounded: bool = False


class V2L(DiscreteMethod):
    """Local words, one a grid cell, to restore; global words, the nearest first, to understand."""

    card = CARD
    global_part = "global"

    def __init__(
        self,
        model: V2LTokenizer,
        vocabularies: tuple[Sequence[str], Sequence[str]],
        language: Language,
        clip: Clip,
        settings: V2LMethodSettings,
        device: str = "cpu",
        adapters: Mapping[str, Adapter] | None = None,
    ) -> None:
        """Put a trained tokenizer, its local and global vocabularies and its backbones together.

        Raises:
            ValueError: two of them do not fit: sizes of images, vocabularies, codebooks, CLIP.
        """
        self._model = model.to(device).eval().requires_grad_(False)
        self._device = device
        self._clip = clip
        self._side = model.settings.network.side(settings.image_size)
        self._count = settings.global_tokens or model.settings.global_tokens
        self.local_words, self.global_words = map(tuple, vocabularies)
        self.prompting = settings
        self._shown = settings.shown_words
        self._rounded = settings.rounded
        self._check()
        self.language = language
        # Row i of the local codebook is token i of the language model that it was made of.
        self._shared_words = share_vocabulary(self.local_words, language)
        self._rows = torch.tensor(self._shared_words.rows, device=device)
        self.token_map = self._shared_words.token_map
        self.adapters = adapters or {}

    def _check(self) -> None:
        """Check that the parts fit together."""
        sizes = self._model.settings
        for name, words, rows in (
            ("local", self.local_words, sizes.local_words),
            ("global", self.global_words, sizes.global_words),
        ):
            if len(words) != rows:
                raise ValueError(
                    f"the {name} vocabulary has {len(words)} words, and its codebook {rows} rows; "
                    "vocabulary.json and the weights are not of one training."
                )
        if not 0 < self._shown <= self._count <= sizes.global_words:
            raise ValueError(
                f"shown_words is {self._shown} and global_tokens {self._count}: a prompt shows at "
                "least one and no more than the image has, and an image has no more than the "
                f"{sizes.global_words} of the vocabulary."
            )
        width = _width(self._clip)
        if width != sizes.embed_width:
            raise ValueError(
                f"the pack's CLIP gives features of width {width}, and the codebooks have width "
                f"{sizes.embed_width}; use the CLIP that the codebooks were made with."
            )

    @classmethod
    def build(cls, setup: Setup) -> "V2L":
        """Load the pack's weights and vocabularies."""
        folder = setup.folder(cls.card.name)
        settings = read_settings(V2LMethodSettings, setup.settings, "method.v2l")
        return cls(
            load(folder),
            load_words(folder),
            setup.backbones.get("llm"),
            setup.backbones.get("clip"),
            settings,
            setup.device,
            {what: Adapter(place.name, place) for what, place in setup.adapters.items()},
        )

    @classmethod
    def toy(cls) -> "V2L":
        """Random weights, images of 16x16, 4x4 local words, 5 of 24 global words."""
        from frostbench.plugins.kit import toys

        backbones = toys.backbones()
        language, clip = backbones.get("llm"), backbones.get("clip")
        sizes = V2LSettings(
            TINY,
            local_words=language.vocabulary_size,
            global_words=24,
            embed_width=_width(clip),
            global_tokens=5,
            cross_attention_heads=1,
        )
        with toys.seeded():
            model = V2LTokenizer(sizes)
        local = [language.decode([i]) for i in range(sizes.local_words)]
        vocabularies = local, local[-sizes.global_words :]
        return cls(model, vocabularies, language, clip, V2LMethodSettings(shown_words=3))

    @cached_property
    def fingerprint(self) -> str:
        """Of the weights, of the CLIP tower, and of the settings that tokens depend on."""
        return fingerprint(
            method=self.card.name,
            version=self.card.version,
            weights=checksum(self._model),
            clip=checksum(self._clip.model.visual),
            preprocessing=repr(sorted(self._clip.model.visual.preprocess_cfg.items())),
            rounded=self._rounded,
            image_size=self._side,
            global_tokens=self._count,
            rows=repr(self._shared_words.rows),
        )

    @property
    def notes(self) -> Sequence[str]:
        """How much of the local vocabulary another language model lacks, and its adapter."""
        absent = () if "masked" in self.adapters else (NO_ADAPTER,)
        return (*self._shared_words.notes(self.card.name), *absent)

    @property
    def shortened_by(self) -> Sequence[str]:
        """Fewer global words in a prompt."""
        return ("shown_words",)

    def tokenize(self, images: Float[Tensor, "b 3 h w"], sizes: Int[Tensor, "b 2"]) -> VisualTokens:
        """Images as grids of local words and ranked global words, as rows of the codebooks."""
        pairs = zip(images, sizes.tolist(), strict=True)
        return self.tokenize_whole(images, sizes, [image[:, :h, :w] for image, (h, w) in pairs])

    def tokenize_whole(
        self,
        images: Float[Tensor, "b 3 h w"],
        sizes: Int[Tensor, "b 2"],
        wholes: Sequence[Float[Tensor, "3 _rows _columns"]],
    ) -> VisualTokens:
        """As `tokenize`, but CLIP sees the whole images, as in the published evaluation."""
        squares = to_square(images, sizes, self._side).to(self._device)
        # Projecting the vocabulary takes as long as encoding an image, so it is done once.
        codebook = self._model.codebook()[self._rows]
        local = by_row(partial(self._encode, codebook), squares * 2 - 1)
        ranked = by_row(self._nearest, self._seen(wholes).to(self._device))
        return VisualTokens(
            {self.grid_part: Grid(local.cpu()), self.global_part: Ranked(ranked.cpu())}
        )

    @property
    def codes(self) -> Mapping[str, int]:
        """The words of both codebooks."""
        return {**super().codes, self.global_part: len(self.global_words)}

    def shown(self, tokens: VisualTokens) -> tuple[Piece, ...]:
        """The nearest global words, glued into one text as published."""
        return (Text("".join(self.spoken(tokens))),)

    def render(self, tokens: VisualTokens) -> Float[Tensor, "b 3 h w"]:
        """Images from local words, read beside the global ones."""
        local = self._rows[tokens.grid(self.grid_part).to(self._device)]
        ranked = tokens.ranked(self.global_part).to(self._device)
        return as_unit(by_row(self._model.render, self._model.looked_up(local), ranked))

    def words(self, tokens: VisualTokens) -> Mapping[str, Sequence[Sequence[str]]]:
        """The local words, row by row, and the global words in one row."""
        local: list[list[int]] = self._rows.cpu()[tokens.grid(self.grid_part)[0]].tolist()
        ranked: list[int] = tokens.ranked(self.global_part)[0].tolist()
        return {
            self.grid_part: [[self.local_words[row] for row in line] for line in local],
            self.global_part: [[self.global_words[row] for row in ranked]],
        }

    def neighbours(
        self, images: Float[Tensor, "b 3 h w"], sizes: Int[Tensor, "b 2"], count: int
    ) -> list[Mapping[str, Sequence[Sequence[Sequence[str]]]]]:
        """The local words nearest to each cell; global words are ranked already."""
        squares = to_square(images, sizes, self._side).to(self._device)
        features = by_row(self._model.features, squares * 2 - 1).movedim(1, -1)
        found = nearest_several(features, self._model.codebook()[self._rows], count)
        grids = self._rows[found].tolist()

        def named(cell: list[int]) -> list[str]:
            return [self.local_words[row] for row in cell]

        return [{self.grid_part: [[named(cell) for cell in row] for row in one]} for one in grids]

    def spoken(self, tokens: VisualTokens) -> Sequence[str]:
        """The global words that a prompt shows, the nearest first."""
        rows: list[int] = tokens.ranked(self.global_part)[0, : self._shown].tolist()
        return [self.global_words[row] for row in rows]

    def _encode(
        self, codebook: Float[Tensor, "words d"], squares: Float[Tensor, "b 3 h w"]
    ) -> Int[Tensor, "b gh gw"]:
        return nearest(self._model.features(squares).movedim(1, -1), codebook)

    def _seen(self, images: Sequence[Float[Tensor, "3 _h _w"]]) -> Float[Tensor, "b d"]:
        """CLIP's features of images."""
        with torch.no_grad():
            features = [
                self._clip.encode_image(one[None], rounded=self._rounded).cpu() for one in images
            ]
        return torch.cat(features).float()

    def _nearest(self, features: Float[Tensor, "b d"]) -> Int[Tensor, "b k"]:
        return self._model.nearest_global(features, self._count)


def _width(clip: Clip) -> int:
    """The width of CLIP's features."""
    return int(clip.encode_image(torch.zeros(1, 3, *clip.image_size)).shape[1])
