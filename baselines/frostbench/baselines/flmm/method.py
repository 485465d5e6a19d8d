"""F-LMM as a method: phrases become masks, while the multimodal model stays as it is.

Wu et al., CVPR 2025, https://arxiv.org/abs/2406.05821. Where the paper and the published code
differ, the code is followed; what is not published is a setting.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias, assert_never

import torch
from jaxtyping import Float, Int
from torch import Tensor

from frostbench.baselines.flmm.card import CARD
from frostbench.baselines.flmm.model import Found, Heads, HeadSettings
from frostbench.baselines.flmm.outcomes import (
    PART,
    Conversation,
    MaskInputs,
    PhraseFeatures,
    embedding_of,
)
from frostbench.baselines.flmm.phrases import phrases_of
from frostbench.baselines.flmm.prompts import (
    BACKBONE,
    ChatWording,
    PhrasedPrompt,
    attention_prompt,
    expressions,
    narrative,
    questioned,
    spoken,
    tokens_of,
)
from frostbench.baselines.flmm.thought import RegionSettings, cut_out, region_of, whole
from frostbench.baselines.flmm.unet import UNetSettings
from frostbench.baselines.flmm.weights import load
from frostbench.plugins.backbones.checksum import checksum
from frostbench.plugins.backbones.lmm import LMM
from frostbench.plugins.backbones.sam import Sam
from frostbench.plugins.contract.cards import HEADLESS
from frostbench.plugins.contract.completions import Attended, Completion, Generated
from frostbench.plugins.contract.detection import Locate
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.method import Method, Setup, Tokens, Waves
from frostbench.plugins.contract.predictions import Masks, Prediction, Reasoned, TextPrediction
from frostbench.plugins.contract.prompts import Generate, Piece, Prompt, Wave
from frostbench.plugins.contract.requests import (
    Answer,
    Box,
    Caption,
    Ground,
    NamedThought,
    NoThought,
    OracleThought,
    QuestionThought,
    Reason,
    Refine,
    Request,
    Segment,
    Thought,
)
from frostbench.plugins.contract.tokens import Continuous, VisualTokens
from frostbench.plugins.host.settings import read_settings
from frostbench.plugins.parts.grounding.attention import enlarged, merged
from frostbench.plugins.parts.grounding.boxes import located
from frostbench.plugins.parts.tokenizing.fingerprint import fingerprint

TextWaves: TypeAlias = Generator[Wave, list[Completion], Generated]
LookWaves: TypeAlias = Generator[Wave, list[Completion], PhraseFeatures]


@dataclass(frozen=True)
class FLMMSettings:
    """What the multimodal model is told, and how long its answers may be.

    Attributes:
        wording: What stands around images and texts.
        caption_tokens: Tokens of a caption at most.
        answer_tokens: Tokens of an answer at most.
        conversation_tokens: Tokens at most of an answer whose phrases are then grounded.
        thought_tokens: Tokens at most of the name of the object that matters most.
        reasoned_tokens: Tokens of the answer after a thought at most.
        thought_stop: What ends a thought.
        region: How large a region is looked at again.
        names: Names whose mentions in an answer are its phrases; without any, see `phrases_of`.
    """

    wording: ChatWording = field(default_factory=ChatWording)
    caption_tokens: int = 64
    answer_tokens: int = 32
    conversation_tokens: int = 512
    thought_tokens: int = 16
    reasoned_tokens: int = 32
    thought_stop: str = "."
    region: RegionSettings = field(default_factory=RegionSettings)
    names: tuple[str, ...] = ()


class FLMM(Method):
    """Mask head and refiner around a frozen multimodal model and a frozen SAM.

    Its visual tokens are SAM's embedding of the image, so that the image encoder runs once,
    however many requests there are; the multimodal model gets the image itself.
    """

    card = CARD

    def __init__(
        self, heads: Heads, lmm: LMM, sam: Sam, settings: FLMMSettings, device: str = "cpu"
    ) -> None:
        """Put trained heads beside the two models that they were trained with.

        Raises:
            ValueError: their sizes do not fit.
        """
        if heads.sam.width != sam.settings.prompt_width:
            raise ValueError(
                f"the refiner's prompts have width {heads.sam.width}, and the SAM's embeddings "
                f"{sam.settings.prompt_width}; use the SAM that it was trained with."
            )
        if heads.settings.width != lmm.width:
            raise ValueError(
                f"these heads read states of width {heads.settings.width}, and the multimodal "
                f"model's are {lmm.width} wide; use the one that they were trained with."
            )
        self._heads = heads.to(device).eval().requires_grad_(False)
        self._device = device
        self._lmm, self._sam, self._settings = lmm, sam, settings
        self._wording = settings.wording

    @classmethod
    def build(cls, setup: Setup) -> "FLMM":
        """Load the pack's weights."""
        folder = setup.folder(cls.card.name)
        settings = read_settings(FLMMSettings, setup.settings, "method.flmm")
        lmm, sam = setup.backbones.get(BACKBONE), setup.backbones.get("sam")
        return cls(load(folder, sam.model), lmm, sam, settings, setup.device)

    @classmethod
    def toy(cls) -> "FLMM":
        """Random weights around the toy LLaVA, of two layers and four heads, and the toy SAM."""
        from frostbench.plugins.kit import toys

        backbones = toys.backbones()
        lmm, sam = backbones.get(BACKBONE), backbones.get("sam")
        sizes = HeadSettings(UNetSettings(channels=8, widths=(4, 8), side=8), 2, lmm.width)
        with toys.seeded():
            heads = Heads(sizes, sam.model)
        wording = ChatWording(behind=" ", describe="Describe.", blanks="word", lead=" ")
        settings = FLMMSettings(wording, 6, 6, 12, 6, 6, region=RegionSettings(least=3.0))
        return cls(heads, lmm, sam, settings)

    @cached_property
    def fingerprint(self) -> str:
        """Of the SAM, on which alone the visual tokens depend."""
        return fingerprint(
            method=self.card.name, version=self.card.version, sam=checksum(self._sam.model)
        )

    @property
    def notes(self) -> Sequence[str]:
        """How questions are put."""
        return (
            "flmm answers and describes without in-context examples: its multimodal model is asked "
            "as it was tuned, one image at a time.",
        )

    def tokenize(self, images: Float[Tensor, "b 3 h w"], sizes: Int[Tensor, "b 2"]) -> VisualTokens:
        """SAM's embeddings, one vector a cell, row by row."""
        pairs = zip(images, sizes.tolist(), strict=True)
        several = [self._sam.embed(Image(pixels[:, :h, :w].clone())) for pixels, (h, w) in pairs]
        return VisualTokens({PART: Continuous(torch.stack(several).flatten(2).mT.cpu())})

    def prompt(self, request: Request, tokens: Tokens) -> Waves:
        """Look for phrases in one wave; answer in one; a chain of thought takes up to three."""
        kind = type(request).__name__
        if kind not in self.card.capabilities:
            reason = self.card.reason(kind)
            raise TypeError(f"method {self.card.name!r} answers no {kind} requests: {reason}.")
        match request:
            case Caption(image=image):
                said = yield from self._say(
                    image, self._wording.describe, self._settings.caption_tokens
                )
                return said.text.strip()
            case Answer(image=image, question=question):
                said = yield from self._say(image, question, self._settings.answer_tokens)
                return said.text.strip()
            case Segment(image=image, phrases=phrases) | Locate(image=image, phrases=phrases):
                seen = yield from self._look(expressions(self._wording, image, phrases))
                return MaskInputs(seen, embedding_of(tokens[image]))
            case Ground(image=image, narrative=text, phrases=spans):
                seen = yield from self._look(narrative(self._wording, image, text, spans))
                return MaskInputs(seen, embedding_of(tokens[image]))
            case Refine(boxes=boxes):
                return boxes  # no words are looked for
            case Reason(image=image, question=question, thought=thought):
                box = yield from self._region(image, question, thought, tokens)
                said = yield from self._answer_again(image, question, box)
                return Reasoned(said.text.strip(), box)
            case _:
                raise AssertionError(f"the card names {kind}, and nothing here answers it")

    def decode(self, requests: Sequence[Request], outcomes: Sequence[Any]) -> list[Prediction]:
        """Masks from what was seen, through mask head and refiner; texts as they are."""
        return [self._decode(*pair) for pair in zip(requests, outcomes, strict=True)]

    def control(self, name: str) -> Method:
        """`bare_lmm`: the multimodal model alone, which answers and finds no masks."""
        if name == "bare_lmm":
            return BareLMM(self._heads, self._lmm, self._sam, self._settings, self._device)
        return super().control(name)

    def converse(
        self, image: Image, question: str, tokens: Tokens
    ) -> Generator[Wave, list[Completion], Conversation]:
        """Grounded conversation: an answer in one wave, and in a second masks of its phrases.

        The model's own tokens are read again, so that the tokenisation stays as it was generated.
        An answer without a phrase has no masks.
        """
        asked = self._wording.asking(image, question)
        said = yield from self._generate(asked, self._settings.conversation_tokens)
        spans = phrases_of(said.text, self._settings.names)
        if not spans:
            return Conversation(said.text, (), torch.zeros(0, *image.size, dtype=torch.bool))
        phrased = spoken(asked, said.ids, tokens_of(self._lmm, said.ids, spans))
        seen = yield from self._look(phrased)
        found = self._find(seen, embedding_of(tokens[image]), image)
        return Conversation(said.text, spans, (found.fine > 0).cpu())

    def _say(self, image: Image, question: str, most: int) -> TextWaves:
        return (yield from self._generate(self._wording.asking(image, question), most))

    def _generate(
        self, asked: tuple[Piece, ...], most: int, stop: tuple[str, ...] = ()
    ) -> TextWaves:
        (said,) = yield [Prompt(asked, Generate(most, stop=stop), backbone=BACKBONE)]
        assert isinstance(said, Generated)
        return said

    def _look(self, phrased: PhrasedPrompt) -> LookWaves:
        asked = attention_prompt(phrased, self._lmm)
        (attended,) = yield [asked.prompt]
        assert isinstance(attended, Attended)
        rows = merged(attended.attention, asked.phrases, self._heads.settings.merge)
        hidden = [attended.hidden[:, list(own)] for own in asked.phrases]
        return PhraseFeatures(rows.cpu(), tuple(states.cpu() for states in hidden))

    def _region(
        self, image: Image, question: str, thought: Thought, tokens: Tokens
    ) -> Generator[Wave, list[Completion], Box | None]:
        """The box to look at again before a question is answered; None for no second look."""
        match thought:
            case NoThought():
                return None
            case OracleThought(box=box):
                return box
            case QuestionThought():
                phrased = questioned(self._wording, image, question)
            case NamedThought():
                wording, settings = self._wording, self._settings
                asked = wording.asking(image, question + wording.think, wording.thought)
                stop = (settings.thought_stop,) if settings.thought_stop else ()
                said = yield from self._generate(asked, settings.thought_tokens, stop)
                if not said.ids:  # it names nothing, so the whole image is looked at again
                    return whole(image)
                phrased = spoken(asked, said.ids, [(0, len(said.ids))])
            case _:
                assert_never(thought)
        seen = yield from self._look(phrased)
        found = self._find(seen, embedding_of(tokens[image]), image)
        mask = found.fine if self._settings.region.refined else enlarged(found.coarse, image.size)
        return region_of((mask[0] > 0).cpu(), self._settings.region)

    def _answer_again(self, image: Image, question: str, box: Box | None) -> TextWaves:
        """The answer of a chain of thought, short, from the image and the region in a box."""
        wording, most = self._wording, self._settings.reasoned_tokens
        if box is None:
            return (yield from self._say(image, question + wording.briefly, most))
        asked = wording.asking_again(image, cut_out(image, box), question)
        return (yield from self._generate(asked, most))

    @torch.no_grad()
    def _find(
        self, seen: PhraseFeatures, embedding: Float[Tensor, "d side side"], image: Image
    ) -> Found:
        """Masks of the phrases of one image, by mask head and refiner."""
        found: Found = self._heads(
            seen.rows.to(self._device),
            [states.to(self._device) for states in seen.hidden],
            embedding.to(self._device).expand(len(seen.rows), -1, -1, -1),
            self._lmm.views(image),
            image.size,
        )
        return found

    def _decode(self, request: Request, outcome: Any) -> Prediction:
        match request, outcome:
            case _, str():
                return TextPrediction(outcome)
            case Reason(), Reasoned():
                return outcome
            case Refine(image=image), tuple():
                return Masks(self._sam.masks_from_boxes(image, torch.tensor(outcome)))
            case _, MaskInputs(seen=seen, embedding=embedding):
                logits = self._find(seen, embedding, request.image).fine.cpu()
                if isinstance(request, Locate):
                    return located(logits, request.phrases)
                return Masks(logits > 0)
            case _:
                raise TypeError(f"{type(outcome).__name__} is no outcome of {self.card.name!r}.")


class BareLMM(FLMM):
    """The multimodal model without a method: it answers at once, and gives no masks."""

    card = replace(
        CARD,
        capabilities=frozenset({"Caption", "Answer", "Reason"}),
        trained=(),
        reasons={**CARD.reasons, **HEADLESS},
        controls=(),
    )

    def prompt(self, request: Request, tokens: Tokens) -> Waves:
        """One wave: a chain of thought is answered at once."""
        if isinstance(request, Reason):
            request = replace(request, thought=NoThought())
        return super().prompt(request, tokens)
