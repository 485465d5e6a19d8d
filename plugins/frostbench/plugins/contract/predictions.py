"""Predictions: what `decode` makes of completions."""

from dataclasses import dataclass
from typing import TypeAlias

from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class TextPrediction:
    """A label, a caption or an answer, as the method finally gives it."""

    text: str


@dataclass(frozen=True, eq=False)
class ImagePrediction:
    """An image in [0, 1], at the size of the request's image."""

    pixels: Float[Tensor, "3 h w"]


@dataclass(frozen=True, eq=False)
class Masks:
    """One mask a phrase, at the size of the request's image."""

    masks: Bool[Tensor, "n h w"]


@dataclass(frozen=True, eq=False)
class Boxes:
    """Boxes with classes and scores in [0, 1].

    A box is left, top, right and bottom edge in pixels of the request's image. For a `Locate`
    request there is one box a phrase, in order, with the phrase as its class.
    """

    boxes: Float[Tensor, "n 4"]
    classes: tuple[str, ...]
    scores: Float[Tensor, " n"]


@dataclass(frozen=True, eq=False)
class Instances:
    """Masks of things at the size of the request's image, with classes and scores in [0, 1]."""

    masks: Bool[Tensor, "n h w"]
    classes: tuple[str, ...]
    scores: Float[Tensor, " n"]


@dataclass(frozen=True)
class Reasoned:
    """The answer of a visual chain of thought, and the box that was looked at again before it.

    The box is left, top, right and bottom edge in pixels of the request's image; None where the
    answer came at once.
    """

    text: str
    box: tuple[float, float, float, float] | None = None


Prediction: TypeAlias = TextPrediction | ImagePrediction | Masks | Boxes | Instances | Reasoned
"""What `decode` makes of completions, and what metrics score."""
