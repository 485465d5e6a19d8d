"""A method without any model that answers all of the suite `grounding`: boxes for place words.

It reads "on the left" and the like in a phrase and predicts that part of the image.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from frostbench.plugins import (
    Answer,
    Card,
    Grid,
    Ground,
    Masks,
    Method,
    NoThought,
    OracleThought,
    Prediction,
    Reason,
    Reasoned,
    Refine,
    Request,
    Segment,
    Setup,
    TextPrediction,
    VisualTokens,
    hookimpl,
)

# Left, top, right and bottom edge, as parts of the image.
PARTS: Mapping[str, tuple[float, float, float, float]] = {
    "on the left": (0.0, 0.2, 0.45, 0.8),
    "on the right": (0.55, 0.2, 1.0, 0.8),
    "at the top": (0.2, 0.0, 0.8, 0.45),
    "at the bottom": (0.2, 0.55, 0.8, 1.0),
    "in the middle": (0.25, 0.25, 0.75, 0.75),
}


class PlacedBoxes(Method):
    """Whatever a phrase says of a place, as a box; the middle where it says nothing."""

    card = Card(
        name="placed_boxes",
        paper="none: a method for tests",
        summary="boxes for place words, no model",
        capabilities=frozenset({"Segment", "Ground", "Refine", "Answer", "Reason"}),
        controls=("bare_lmm",),
    )

    def __init__(self, bare: bool = False) -> None:
        self._bare = bare

    @classmethod
    def build(cls, setup: Setup) -> "PlacedBoxes":
        return cls()

    @classmethod
    def toy(cls) -> "PlacedBoxes":
        return cls()

    @property
    def fingerprint(self) -> str:
        return "0" * 16

    def control(self, name: str) -> "PlacedBoxes":
        return PlacedBoxes(bare=True) if name == "bare_lmm" else super().control(name)

    def tokenize(self, images: Float[Tensor, "b 3 h w"], sizes: Int[Tensor, "b 2"]) -> VisualTokens:
        return VisualTokens({"nothing": Grid(torch.zeros(len(images), 1, 1, dtype=torch.long))})

    def prompt(self, request: Request, tokens: Any) -> Any:
        match request:
            case Segment():
                return [self._box(phrase, request) for phrase in request.phrases]
            case Ground():
                return [self._box(phrase, request) for phrase in request.texts]
            case Refine():
                return list(request.boxes)
            case Answer():
                # A guess that hangs on the image, so that another one is answered otherwise.
                return "yes" if self._bare or int(request.image.digest[0], 16) % 2 else "No."
            case Reason(thought=NoThought()):
                return Reasoned("on the left")
            case Reason(thought=OracleThought(box)):
                return Reasoned("left", box)
            case Reason():
                return Reasoned("left", self._box(request.question, request))
            case _:
                raise TypeError(f"{type(request).__name__} requests are not answered.")
        yield []

    def decode(self, requests: Sequence[Request], outcomes: Sequence[Any]) -> list[Prediction]:
        predictions: list[Prediction] = []
        for request, outcome in zip(requests, outcomes, strict=True):
            if isinstance(outcome, str):
                predictions.append(TextPrediction(outcome))
            elif isinstance(outcome, Reasoned):
                predictions.append(outcome)
            else:
                masks = torch.zeros(len(outcome), *request.image.size, dtype=torch.bool)
                for mask, (left, top, right, bottom) in zip(masks, outcome, strict=True):
                    mask[int(top) : int(bottom), int(left) : int(right)] = True
                predictions.append(Masks(masks))
        return predictions

    def _box(self, text: str, request: Request) -> tuple[float, float, float, float]:
        height, width = request.image.size
        where = next((place for place in PARTS if place in text), "in the middle")
        left, top, right, bottom = PARTS[where]
        return width * left, height * top, width * right, height * bottom


@hookimpl
def frostbench_methods() -> list[type[Method]]:
    return [PlacedBoxes]
