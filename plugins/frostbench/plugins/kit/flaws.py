"""Flaws: what can be wrong with a prediction before anybody asks whether it is right."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from frostbench.plugins.contract.predictions import (
    Boxes,
    ImagePrediction,
    Masks,
    Prediction,
    Reasoned,
    TextPrediction,
)
from frostbench.plugins.contract.requests import Detect, Request, masks_asked, within

KINDS: Mapping[str, type[Prediction]] = {
    "Classify": TextPrediction,
    "Caption": TextPrediction,
    "Answer": TextPrediction,
    "Interpret": TextPrediction,
    "Reconstruct": ImagePrediction,
    "Restore": ImagePrediction,
    "Segment": Masks,
    "Ground": Masks,
    "Reason": Reasoned,
    "Refine": Masks,
    "Detect": Boxes,
}


def flaw(request: Request, prediction: object) -> str | None:
    """What is wrong with a prediction, as a phrase; None if nothing is."""
    kind = type(request).__name__
    wanted = KINDS[kind]
    if not isinstance(prediction, wanted):
        return f"{kind} is answered by {wanted.__name__}, not {type(prediction).__name__}"
    match prediction:
        case TextPrediction(text=text):
            return None if isinstance(text, str) else f"the text is {text!r}"
        case ImagePrediction(pixels=pixels):
            return _flaw_of_pixels(pixels, request.image.size)
        case Masks(masks=masks):
            shape = (masks_asked(request), *request.image.size)
            if tuple(masks.shape) != shape or masks.dtype != torch.bool:
                return f"the masks are {masks.dtype} {tuple(masks.shape)}, not bool {shape}"
        case Reasoned(text=text, box=box):
            if not isinstance(text, str):
                return f"the text is {text!r}"
            if box is not None and not within(box, request.image.size):
                return f"the box {box} is no box within {request.image.size[::-1]} pixels"
        case Boxes():
            assert isinstance(request, Detect)
            return _flaw_of_boxes(prediction, request)
    return None


def _flaw_of_pixels(pixels: Tensor, size: tuple[int, int]) -> str | None:
    if tuple(pixels.shape) != (3, *size):
        return f"the image is {tuple(pixels.shape)}, and the request's is {(3, *size)}"
    if not bool(pixels.isfinite().all()):
        return "the image has values that are no numbers, or infinite"
    low, high = float(pixels.min()), float(pixels.max())
    if low < 0 or high > 1:
        return f"the image has values from {low:.3g} to {high:.3g}, outside of [0, 1]"
    return None


def _flaw_of_boxes(prediction: Boxes, request: Detect) -> str | None:
    height, width = request.image.size
    strange = set(prediction.classes) - set(request.classes)
    if strange:
        return f"there are boxes of {', '.join(sorted(strange))}, which were not asked for"
    if not len(prediction.boxes) == len(prediction.classes) == len(prediction.scores):
        return "boxes, classes and scores differ in number"
    limit = torch.tensor([width, height, width, height])
    for box, score in zip(prediction.boxes, prediction.scores.tolist(), strict=True):
        if not (bool((box >= 0).all()) and bool((box <= limit).all())):
            return f"the box {box.tolist()} is not within {width}x{height} pixels"
        if not (math.isfinite(score) and 0 <= score <= 1):
            return f"the score {score} is outside of [0, 1]"
    return None
