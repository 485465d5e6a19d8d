"""Checks a predicted text and the accepted texts before they are compared."""

from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.predictions import Prediction, Reasoned, TextPrediction
from frostbench.plugins.contract.task import (
    Target,
    TrueAnswer,
    TrueBoxes,
    TrueMasks,
    TrueThings,
)


def text_pair(prediction: Prediction, target: Target) -> tuple[str, tuple[str, ...]]:
    """The predicted text, and all texts that the target accepts, one or more.

    Raises:
        ValueError: the prediction or the target is no text, or the target accepts none. The
            sample is unscored.
    """
    if not isinstance(prediction, TextPrediction | Reasoned):
        raise ValueError(f"texts are scored; the prediction is a {type(prediction).__name__}.")
    return prediction.text, texts_of(target)


def texts_of(target: Target) -> tuple[str, ...]:
    """All texts that a target accepts, one or more.

    Raises:
        ValueError: the target is no text, or accepts none.
    """
    match target:
        case str():
            accepted: tuple[str, ...] = (target,)
        case TrueAnswer():
            accepted = target.texts
        case Image() | TrueMasks() | TrueThings() | TrueBoxes():
            raise ValueError(f"texts are scored; the target is a {type(target).__name__}.")
        case _:
            accepted = target
    if not accepted:
        raise ValueError("the target accepts no text at all; it needs one or more.")
    return accepted
