"""VisionLLM as a method: image tokens for a prompt, and tuples read at placeholders.

Wang et al., "VisionLLM: Large Language Model is also an Open-Ended Decoder for Vision-Centric
Tasks", NeurIPS 2023, https://arxiv.org/abs/2305.11175. Code and weights of this version were never
released; what the paper leaves open is a setting, marked so.
"""

from collections.abc import Generator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor

from frostbench.baselines.visionllm.card import CARD
from frostbench.baselines.visionllm.inference import PUBLISHED_CLASSES, InferenceSettings
from frostbench.baselines.visionllm.instructions import Guided, Instructed, Instructions
from frostbench.baselines.visionllm.model import VisionLLM
from frostbench.baselines.visionllm.outcomes import (
    Candidates,
    boxes_in,
    instances_in,
    joined,
    read,
)
from frostbench.baselines.visionllm.reading import text_batch
from frostbench.baselines.visionllm.text import TextReader, language_reader
from frostbench.baselines.visionllm.toy import TOY, TOY_WORDING
from frostbench.baselines.visionllm.weights import load
from frostbench.baselines.visionllm.wording import InstructionWording, pieces_of
from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.backbones.checksum import checksum
from frostbench.plugins.contract.completions import Completion, Filled, Generated
from frostbench.plugins.contract.detection import Detect, Locate, SegmentInstances
from frostbench.plugins.contract.method import Method, Setup, Tokens, Waves, refusal
from frostbench.plugins.contract.predictions import Prediction, TextPrediction
from frostbench.plugins.contract.prompts import Adapter, Fill, Generate, Piece, Prompt, Wave
from frostbench.plugins.contract.requests import Answer, Caption, Request
from frostbench.plugins.contract.seeds import seed_of
from frostbench.plugins.contract.tokens import Continuous, VisualTokens
from frostbench.plugins.host.settings import read_settings
from frostbench.plugins.parts.tokenizing.fingerprint import fingerprint

PART = "maps"  # the name of the backbone's maps among the visual tokens

TupleWaves: TypeAlias = Generator[Wave, list[Completion], list[Candidates]]


class VisionLLMMethod(Method):
    """Image tokenizer, new words and a LoRA around a language model.

    Its visual tokens are the maps of the image backbone, which do not depend on text; the other
    trained parts read them for each prompt.
    """

    card = CARD

    def __init__(
        self,
        model: VisionLLM,
        wording: InstructionWording,
        language: CausalLM,
        settings: InferenceSettings,
        adapter: Adapter | None = None,
        device: str = "cpu",
        reader: TextReader | None = None,
    ) -> None:
        """Put trained networks beside the language model that they were trained with.

        The text encoder reads the language model's tokens, unless a `reader` is given.

        Raises:
            ValueError: their sizes do not fit, or a setting exceeds what these weights were trained
            for.
        """
        self._reader = reader or language_reader(language)
        _check_sizes(model, language, self._reader, settings)
        self._model = model.to(device).eval().requires_grad_(False)
        self._language, self._adapter, self._device = language, adapter, device
        self._wording, self._settings = wording, settings
        words = model.settings.vocabulary
        classes = settings.classes_per_prompt or min(PUBLISHED_CLASSES, words.class_words)
        self._instructions = Instructions(wording, settings, classes, words.half_range)

    @classmethod
    def build(cls, setup: Setup) -> "VisionLLMMethod":
        """Load the pack's weights."""
        trained = load(setup.folder(cls.card.name))
        settings = read_settings(InferenceSettings, setup.settings, f"method.{cls.card.name}")
        language = setup.backbones.get("llm")
        return cls(
            trained.model,
            trained.wording,
            language,
            settings,
            trained.adapter,
            setup.device,
            trained.reader,
        )

    @classmethod
    def toy(cls) -> "VisionLLMMethod":
        """Random weights, images of 64x64, four image tokens, and no adapter."""
        from frostbench.plugins.kit import toys

        language = toys.backbones().get("llm")
        with toys.seeded():
            model = VisionLLM(replace(TOY, llm_width=language.width))
        settings = InferenceSettings(points=5, caption_tokens=4, answer_tokens=4)
        return cls(model, TOY_WORDING, language, settings)

    @cached_property
    def fingerprint(self) -> str:
        """Of the image tokenizer, which includes the backbone."""
        return fingerprint(
            method=self.card.name,
            version=self.card.version,
            tokenizer=checksum(self._model.tokenizer),
        )

    @property
    def notes(self) -> Sequence[str]:
        """What a score means, and which parts of the language model are not frozen."""
        named = "VisionLLM's language model is adapted: a LoRA, and rows for new words"
        rule = {
            "ranked": "among all classes of the prompt and no object",
            "dropped": "among all classes of the prompt and no object, and tuples that are "
            "likelier no object are left out",
            "none": "among the classes of the prompt alone",
        }
        return (
            f"{named}; its base weights are those that all methods share.",
            "A score of visionllm is the softmax probability of the chosen class word "
            f"{rule[self._settings.no_object]}; of equal ones the image token comes first that is "
            "likelier a thing. The paper does not define its confidence.",
            "visionllm describes and answers without in-context examples.",
        )

    @property
    def shortened_by(self) -> Sequence[str]:
        """Fewer classes in a prompt, fewer points of a contour."""
        return ("classes_per_prompt", "points")

    def tokenize(self, images: Float[Tensor, "b 3 h w"], sizes: Int[Tensor, "b 2"]) -> VisualTokens:
        """The backbone's maps at all scales, one vector a place."""
        pairs = zip(images, sizes.tolist(), strict=True)
        with torch.no_grad():
            maps = [
                self._model.maps(pixels[None, :, :h, :w].to(self._device))
                for pixels, (h, w) in pairs
            ]
        return VisualTokens({PART: Continuous(torch.cat(maps).float().cpu())})

    def prompt(self, request: Request, tokens: Tokens) -> Waves:
        """One wave: as many prompts as classes or phrases need, or one for a text.

        In-context examples of a request are ignored.
        """
        make = self._instructions
        match request:
            case Detect() | SegmentInstances():
                found = yield from self._tuples(request, make.of_classes(request), tokens)
                return joined(found)
            case Locate():
                found = yield from self._tuples(request, make.of_phrases(request), tokens)
                return joined([one.ranked(0.0, 1) for one in found])
            case Caption():
                most = self._settings.caption_tokens
            case Answer():
                most = self._settings.answer_tokens
            case _:
                raise refusal(self.card, request)
        guided = self._guided(request, make.of_text(request), tokens)
        ask = Generate(most, stop=self._settings.stop)
        (said,) = yield [Prompt(self._pieces(guided), ask, adapter=self._adapter)]
        assert isinstance(said, Generated)
        return said.text.strip()

    def decode(self, requests: Sequence[Request], outcomes: Sequence[Any]) -> list[Prediction]:
        """Boxes and masks at the image's size, the best first; texts as they are."""
        return [self._decode(*pair) for pair in zip(requests, outcomes, strict=True)]

    def control(self, name: str) -> Method:
        """The method without its language model, without "no object", or without random choices.

        `no_llm`: the tokenizer's own boxes and objectness, with classes drawn from the seed.
        `every_query`: probabilities among the classes alone, so that each image token is a thing.
        `fixed_prompt`: the first wording, and the dictionary as it was asked for.
        """
        match name:
            case "no_llm":
                return self._like(self._settings, _WithoutLLM)
            case "every_query":
                return self._like(replace(self._settings, no_object="none"))
            case "fixed_prompt":
                return self._like(replace(self._settings, wording="first", shuffled=False))
            case _:
                return super().control(name)

    def _like(
        self, settings: InferenceSettings, kind: "type[VisionLLMMethod] | None" = None
    ) -> "VisionLLMMethod":
        made = VisionLLMMethod if kind is None else kind
        return made(
            self._model,
            self._wording,
            self._language,
            settings,
            self._adapter,
            self._device,
            self._reader,
        )

    def _tuples(
        self,
        request: Detect | SegmentInstances | Locate,
        prompts: Sequence[Instructed],
        tokens: Tokens,
    ) -> TupleWaves:
        """The tuples of each of a request's prompts, one for each image token."""
        guided = [self._guided(request, prompt, tokens) for prompt in prompts]
        answers = yield [
            Prompt(self._pieces(one), Fill(self._placeholders(one)), adapter=self._adapter)
            for one in guided
        ]
        found = []
        for one, filled in zip(guided, answers, strict=True):
            assert isinstance(filled, Filled)
            states = filled.states.to(self._device)
            names, layout = one.prompt.names, one.prompt.layout
            found.append(
                read(self._model, states, one.seen, names, layout, self._settings.no_object)
            )
        return found

    @torch.no_grad()
    def _guided(self, request: Request, prompt: Instructed, tokens: Tokens) -> Guided:
        """Image tokens under one prompt; prompts go one by one, so that none depends on another."""
        part = tokens[request.image].parts[PART]
        assert isinstance(part, Continuous)
        text = text_batch(self._reader, self._model, [prompt.parts])
        maps = part.features.to(self._device)
        return Guided(prompt, self._model.see(maps, text.ids, text.mask))

    @torch.no_grad()
    def _pieces(self, one: Guided) -> tuple[Piece, ...]:
        words = self._model.class_words(max(1, len(one.prompt.names)))
        return pieces_of(one.prompt.parts, one.seen.tokens[0], words)

    @torch.no_grad()
    def _placeholders(self, one: Guided) -> Float[Tensor, "m slots w"]:
        return self._model.placeholders(one.seen.tokens, one.prompt.layout)[0]

    def _decode(self, request: Request, outcome: Any) -> Prediction:
        settings, size = self._settings, request.image.size
        match request, outcome:
            case _, str():
                return TextPrediction(outcome)
            case Locate(), Candidates():
                return boxes_in(outcome, size)
            case Detect(), Candidates():
                return boxes_in(outcome.ranked(settings.threshold, settings.most), size)
            case SegmentInstances(), Candidates():
                return instances_in(outcome.ranked(settings.threshold, settings.most), size)
            case _:
                raise TypeError(f"{type(outcome).__name__} is no outcome of {self.card.name!r}.")


class _WithoutLLM(VisionLLMMethod):
    """The control `no_llm`: what the image tokenizer finds by itself."""

    card = replace(
        CARD,
        capabilities=frozenset({"Detect", "SegmentInstances", "Locate"}),
        adapters=(),
        controls=(),
    )

    def _tuples(
        self,
        request: Detect | SegmentInstances | Locate,
        prompts: Sequence[Instructed],
        tokens: Tokens,
    ) -> TupleWaves:
        """Boxes of the tokenizer's last layer, scored by their objectness, without classes."""
        draw = torch.Generator().manual_seed(seed_of(request.seed, "no_llm"))
        found = []
        for prompt in prompts:
            seen = self._guided(request, prompt, tokens).seen
            boxes, objectness = seen.boxes[-1, 0].cpu(), seen.objectness[0].cpu()
            drawn = torch.randint(len(prompt.names), (len(boxes),), generator=draw).tolist()
            names = tuple(prompt.names[i] for i in drawn)
            corners = _corners(boxes, contour=prompt.layout.shape == "contour")
            found.append(Candidates(names, corners, objectness.sigmoid(), objectness))
        return found
        yield []  # a generator, which asks nothing


def _corners(boxes: Float[Tensor, "m 4"], *, contour: bool) -> Float[Tensor, "m p 2"]:
    """Corners of boxes (centre x, centre y, width, height): two, or four as a contour has them."""
    centre, half = boxes[:, :2], boxes[:, 2:] / 2
    signs = [(-1, -1), (1, -1), (1, 1), (-1, 1)] if contour else [(-1, -1), (1, 1)]
    return centre[:, None] + half[:, None] * torch.tensor(signs, dtype=boxes.dtype)


def _check_sizes(
    model: VisionLLM, language: CausalLM, reader: TextReader, settings: InferenceSettings
) -> None:
    sizes = model.settings
    if sizes.llm_width != language.width:
        raise ValueError(
            f"these weights make embeddings of width {sizes.llm_width}, and language model "
            f"{language.identity or 'given'} reads {language.width}; train them for it with "
            "`frostbench train visionllm`."
        )
    if sizes.text.words < reader.words:
        raise ValueError(
            f"the text encoder knows {sizes.text.words} words, and {reader.source} has "
            f"{reader.words}, whose words it reads; a text encoder with words of its own has its "
            "tokenizer in the folder text_tokenizer beside the weights."
        )
    if (settings.classes_per_prompt or 1) > sizes.vocabulary.class_words:
        raise ValueError(
            f"method.visionllm.classes_per_prompt is {settings.classes_per_prompt}, and these "
            f"weights have {sizes.vocabulary.class_words} class words; ask for so many or fewer."
        )
    if settings.points > sizes.slots.most_points:
        raise ValueError(
            f"method.visionllm.points is {settings.points}, and these weights know contours of at "
            f"most {sizes.slots.most_points} points."
        )
