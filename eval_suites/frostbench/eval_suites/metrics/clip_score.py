"""CLIP scores: how well words fit an image. The CLIP's name is part of the metric's id.

Both scores are SPAE's and V2L-Tokenizer's. Neither published how they compute them (unverified):
our reading of their text is in `ClipScoreSettings`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.backbones.clip import Clip
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.metric import MetricContext
from frostbench.plugins.contract.predictions import Prediction, TextPrediction
from frostbench.plugins.contract.task import Target


@dataclass(frozen=True)
class ClipScoreSettings:
    """What the papers do not say (unverified).

    Attributes:
        words: How many of a prediction's first words count. SPAE's first two layers and
            V2L-Tokenizer's shorter prompts have 5.
        templates: Texts around a word; its feature is the mean of theirs, scaled to length 1 before
            and after. SPAE and V2L-Tokenizer use CLIP's 80 for ImageNet in their codebooks; one
            does for a score, at an eightieth of the time.
    """

    words: int = 5
    templates: tuple[str, ...] = ("a photo of a {}.",)


class ClipWords:
    """Cosines of images and words, each image and word encoded once and alone.

    So a feature never depends on what else was asked for.
    """

    def __init__(self, clip: Clip, templates: tuple[str, ...]) -> None:
        self._clip, self._templates = clip, templates
        self._texts: dict[str, Float[Tensor, " d"]] = {}
        self._images: dict[str, Float[Tensor, " d"]] = {}

    def cosines(self, image: Image, words: Iterable[str]) -> Float[Tensor, " n"]:
        """The cosine of the image's feature and of each word's, in [-1, 1]."""
        return torch.stack([self._text(word) for word in words]) @ self.image(image)

    def image(self, image: Image) -> Float[Tensor, " d"]:
        """An image's feature, of length 1."""
        if image.digest not in self._images:
            pixels = image.pixels[None]
            self._images[image.digest] = self._clip.encode_image(pixels, normalise=True)[0].cpu()
        return self._images[image.digest]

    def table(self, words: Iterable[str]) -> Float[Tensor, "n d"]:
        """Features of words, one below the other."""
        return torch.stack([self._text(word) for word in words])

    def _text(self, word: str) -> Float[Tensor, " d"]:
        if word not in self._texts:
            texts = [template.format(word) for template in self._templates]
            mean = self._clip.encode_text(texts, normalise=True).mean(0).cpu()
            self._texts[word] = mean / mean.norm()
        return self._texts[word]


class ClipScore:
    """`clip_score[NAME]`: mean cosine of an image and its words, by the pack's CLIP of that name.

    In [-1, 1]; higher is better. Never comparable with another CLIP's. The prediction is a text of
    one word a line, the most fitting first; the target is the image.

    Raises:
        LookupError: the pack has no backbone of the role that the context names.
    """

    def __init__(self, context: MetricContext, settings: ClipScoreSettings | None = None) -> None:
        self._settings = settings or ClipScoreSettings()
        (role,) = context.networks
        clip: Clip = context.backbones.get(role)
        self._clip = ClipWords(clip, self._settings.templates)

    def __call__(self, prediction: Prediction, target: Target) -> float:
        """The score of one sample.

        Raises:
            ValueError: the prediction is no text or says no word, or the target is no image.
        """
        image, words = image_and_words(prediction, target, self._settings.words)
        return float(self._clip.cosines(image, words).mean())


class ClipScoreRelative:
    """`clip_score_relative[NAME]`: as `clip_score`, in units of what any word could reach.

    For each image, 0 is the worst and 1 the best word of a fixed vocabulary, so that images which
    fit many words, and CLIP's narrow range of cosines, do not matter. The vocabulary is every token
    of the pack's language model that holds a letter, blanks around it removed. Words outside the
    vocabulary can leave [0, 1]. Higher is better.

    Raises:
        LookupError: the pack has no backbone of one of the two roles that the context names.
    """

    def __init__(self, context: MetricContext, settings: ClipScoreSettings | None = None) -> None:
        self._settings = settings or ClipScoreSettings()
        clip, llm = map(context.backbones.get, context.networks)
        self._clip = ClipWords(clip, self._settings.templates)
        self._llm = llm
        self._ranges: dict[str, tuple[float, float]] = {}

    def __call__(self, prediction: Prediction, target: Target) -> float:
        """The score of one sample.

        Raises:
            ValueError: the prediction is no text or says no word, or the target is no image.
        """
        image, words = image_and_words(prediction, target, self._settings.words)
        low, high = self._range(image)
        return float((self._clip.cosines(image, words).mean() - low) / (high - low))

    def _range(self, image: Image) -> tuple[float, float]:
        if image.digest not in self._ranges:
            cosines = self._vocabulary @ self._clip.image(image)
            self._ranges[image.digest] = float(cosines.min()), float(cosines.max())
        return self._ranges[image.digest]

    @cached_property
    def _vocabulary(self) -> Float[Tensor, "n d"]:
        return self._clip.table(letter_words(self._llm))


def letter_words(llm: CausalLM) -> list[str]:
    """The texts of a language model's tokens that hold a letter, each once."""
    special = set(llm.tokenizer.all_special_ids)
    texts = (llm.decode([i]).strip() for i in range(llm.vocabulary_size) if i not in special)
    return list(dict.fromkeys(text for text in texts if any(map(str.isalpha, text))))


def image_and_words(prediction: Prediction, target: Target, most: int) -> tuple[Image, list[str]]:
    """The image, and the first words of a prediction of one word a line; empty lines are none.

    Raises:
        ValueError: the prediction is no text or says no word, or the target is no image.
    """
    if not isinstance(prediction, TextPrediction):
        raise ValueError(f"words are scored; the prediction is a {_kind(prediction)}.")
    if not isinstance(target, Image):
        raise ValueError(f"words are compared with an image; the target is a {_kind(target)}.")
    words = [line.strip() for line in prediction.text.split("\n") if line.strip()]
    if not words:
        raise ValueError("the prediction says no word; one a line is wanted.")
    return target, words[:most]


def _kind(value: object) -> str:
    return type(value).__name__
