"""VisionLLM: image tokens for a language model, and its output format as query.

Wang et al., "VisionLLM: Large Language Model is also an Open-Ended Decoder for Vision-Centric
Tasks", NeurIPS 2023, https://arxiv.org/abs/2305.11175. The language model itself is not here: it
stays frozen, with a LoRA beside it, and its new words stand in tables of this module.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from frostbench.baselines.visionllm.settings import VisionLLMSettings
from frostbench.baselines.visionllm.tokenizer import ImageTokenizer, Queried

Shape: TypeAlias = Literal["box", "contour"]


@dataclass(frozen=True)
class TupleLayout:
    """The slots of one tuple: a class, then x and y of each of some points.

    A box has two points, its top left and bottom right corners; a contour has as many as the
    prompt says.
    """

    shape: Shape
    points: int = 2

    def __post_init__(self) -> None:
        if self.points < 1 or (self.shape == "box" and self.points != 2):
            raise ValueError(
                f"a {self.shape} of {self.points} points; a box has 2, a contour one or more."
            )

    @property
    def slots(self) -> int:
        """How many slots a tuple has."""
        return 1 + 2 * self.points


BOX = TupleLayout("box")


@dataclass(frozen=True, eq=False)
class GuidedTokens:
    """An image under a prompt: each image token's embedding, its centre, and whether it is a thing.

    `tokens` are embeddings for the language model; `centres` (x, y) in parts of the image;
    `objectness` logits. `boxes` and `levels` are for training: the boxes of all decoder layers as
    (centre x, centre y, width, height), and their objectness.
    """

    tokens: Float[Tensor, "b m w"]
    centres: Float[Tensor, "b m 2"]
    objectness: Float[Tensor, "b m"]
    boxes: Float[Tensor, "layers b m 4"]
    levels: Float[Tensor, "layers b m"]


class Words(nn.Module):
    """The new words: embeddings to read class words, and output rows to predict all of them.

    Location words are only predicted, so they have no embedding. `none` predicts
    that a tuple is no object.
    """

    def __init__(self, settings: VisionLLMSettings) -> None:
        super().__init__()
        vocabulary, width = settings.vocabulary, settings.llm_width
        self.read = nn.Parameter(torch.randn(vocabulary.class_words, width) * vocabulary.spread)
        self.classes = nn.Linear(width, vocabulary.class_words)
        self.locations = nn.Linear(width, vocabulary.bins)
        self.none = nn.Linear(width, 1)


class VisionLLM(nn.Module):
    """Everything that is trained but the LoRA."""

    def __init__(self, settings: VisionLLMSettings) -> None:
        super().__init__()
        self.settings = settings
        width, slots, spread = settings.llm_width, settings.slots, settings.vocabulary.spread
        self.tokenizer = ImageTokenizer(settings)
        self.project = nn.Linear(settings.detr.width, width)
        self.where = _small((4 if slots.sizes else 2) * slots.sine, slots.inner, width)
        self.scale = nn.LayerNorm(width)
        self.words = Words(settings)
        self.class_slot = nn.Parameter(torch.randn(width) * spread)
        self.corner_slots = nn.Parameter(torch.randn(4, width) * spread)
        self.axis_slots = nn.Parameter(torch.randn(2, width) * spread)
        self.along = _small(slots.sine, slots.inner, width)
        nn.init.constant_(self.scale.weight, spread)

    def maps(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
        """The backbone's maps of images with values in [0, 1]; they depend on no text."""
        return self.tokenizer.maps(images)

    def see(
        self,
        maps: Float[Tensor, "b n d"],
        text_ids: Int[Tensor, "b l"],
        text_mask: Bool[Tensor, "b l"],
    ) -> GuidedTokens:
        """The image tokens of maps, guided by a text; `text_mask` is true at its tokens."""
        return self._seen(self.tokenizer(maps, text_ids, text_mask))

    def look(self, maps: Float[Tensor, "b n d"]) -> GuidedTokens:
        """The image tokens of maps without any text, as in the warm-up of a training."""
        return self._seen(self.tokenizer.query(maps))

    def _seen(self, found: Queried) -> GuidedTokens:
        # e_i is projected, and an encoding of l_i is added; the paper does not say how l_i enters.
        centres = found.boxes[-1, ..., :2]
        placed = found.boxes[-1] if self.settings.slots.sizes else centres
        encoded = self.where(sine(placed, self.settings.slots.sine))
        tokens = self.scale(self.project(found.states) + encoded)
        return GuidedTokens(tokens, centres, found.objectness[-1], found.boxes, found.objectness)

    def class_words(self, count: int) -> Float[Tensor, "{count} w"]:
        """The embeddings of `<c0>` and on, to be read in a prompt.

        Raises:
            ValueError: there are fewer of them.
        """
        self._check(count)
        return self.words.read[:count]

    def placeholders(
        self, tokens: Float[Tensor, "*b m w"], layout: TupleLayout
    ) -> Float[Tensor, "*b m slots w"]:
        """The inputs at the slots of each image token's group, made from the slot and the token.

        Raises:
            ValueError: the layout has more points than these weights were trained for.
        """
        return tokens[..., :, None, :] + self._fields(layout)

    def class_logits(self, states: Float[Tensor, "*b w"], count: int) -> Float[Tensor, "*b k"]:
        """Scores of the prompt's class words and, last, of "no object"."""
        self._check(count)
        words = self.words
        classes = nn.functional.linear(
            states, words.classes.weight[:count], words.classes.bias[:count]
        )
        return torch.cat((classes, words.none(states)), -1)

    def place_logits(self, states: Float[Tensor, "*b w"]) -> Float[Tensor, "*b bins"]:
        """Scores of all location words, from the lowest offset to the highest."""
        logits: Tensor = self.words.locations(states)
        return logits

    def offsets(self, logits: Float[Tensor, "*b bins"]) -> Float[Tensor, "*b"]:
        """The offset given by scores of location words, in parts of the image's side."""
        half = self.settings.vocabulary.half_range
        if self.settings.slots.reading == "likeliest":
            return (logits.argmax(-1) - half) / half
        return mean_offset(logits, half)

    def _fields(self, layout: TupleLayout) -> Float[Tensor, "slots w"]:
        if layout.shape == "box":
            return torch.cat((self.class_slot[None], self.corner_slots))
        slots = self.settings.slots
        if layout.points > slots.most_points:
            raise ValueError(
                f"a contour of {layout.points} points was asked for, and there are at most "
                f"{slots.most_points}; ask for fewer."
            )
        device = self.class_slot.device
        along = torch.arange(layout.points, device=device)[:, None] / layout.points
        points = self.along(sine(along, slots.sine)) * self.settings.vocabulary.spread
        coordinates = (points[:, None] + self.axis_slots).flatten(0, 1)
        return torch.cat((self.class_slot[None], coordinates))

    def _check(self, count: int) -> None:
        if not 1 <= count <= self.settings.vocabulary.class_words:
            raise ValueError(
                f"{count} classes were asked for in one prompt; there are 1 to "
                f"{self.settings.vocabulary.class_words} class words."
            )


def mean_offset(logits: Float[Tensor, "*b bins"], half_range: int) -> Float[Tensor, "*b"]:
    """The mean offset, weighted by the probability of each location word, in parts of the side."""
    steps = torch.arange(-half_range, half_range + 1, device=logits.device) / half_range
    return logits.softmax(-1) @ steps.to(logits.dtype)


def sine(places: Float[Tensor, "*b c"], count: int) -> Float[Tensor, "*b f"]:
    """Sines and cosines of coordinates in [0, 1], `count` numbers for each, by coordinate."""
    powers = torch.arange(count // 2, device=places.device)
    angles = places[..., None] * (torch.pi * 1.5**powers)
    return torch.cat((angles.sin(), angles.cos()), -1).flatten(-2).to(places.dtype)


def _small(given: int, inner: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(given, inner), nn.ReLU(), nn.Linear(inner, width))
