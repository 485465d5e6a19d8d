"""Checks of what a method returns: the same for the kit, for runs and for metrics."""

from collections.abc import Mapping, Sequence
from typing import Any, assert_never

import torch
from torch import Tensor

from frostbench.plugins.contract.detection import Detect, Locate, SegmentInstances
from frostbench.plugins.contract.predictions import (
    Boxes,
    ImagePrediction,
    Instances,
    Masks,
    Prediction,
    Reasoned,
    TextPrediction,
)
from frostbench.plugins.contract.prompts import Prompt
from frostbench.plugins.contract.requests import (
    Answer,
    Caption,
    Classify,
    Ground,
    Interpret,
    Reason,
    Reconstruct,
    Refine,
    Request,
    Restore,
    Segment,
    masks_asked,
    within,
)
from frostbench.plugins.contract.tokens import (
    Continuous,
    Texts,
    VisualTokens,
    images_in,
    tensors_of,
)

ROUNDING = 0.5 / 255
"""How far a value may lie outside [0, 1]: storing 8 bits a channel rounds this away."""


def check_tokens(tokens: Any, count: int, codes: Mapping[str, int] | None = None) -> None:
    """Refuse what `tokenize` returned for `count` images, if it is not their visual tokens.

    `codes` says how many codes each discrete part has, where that is known.

    Raises:
        TypeError: it is no `VisualTokens`, or ids are no integers.
        ValueError: it covers another number of images, not all numbers are finite, or an id stands
            for no code.
    """
    if not isinstance(tokens, VisualTokens):
        raise TypeError(f"tokenize returned {_kind(tokens)}, not VisualTokens")
    if not tokens.parts:
        raise ValueError(
            "tokenize returned visual tokens without any part; a method that makes none returns "
            "VisualTokens.none(len(images))"
        )
    for name, part in tokens.parts.items():
        if isinstance(part, Texts):
            _check_texts(name, part)
            _check_count(name, images_in(part), count)
            continue
        for tensor in tensors_of(part):
            _check_count(name, tensor.shape[0], count)
            if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
                raise ValueError(f"tokenize returned NaN or infinity in {name!r}")
            if not isinstance(part, Continuous):
                _check_ids(name, tensor, (codes or {}).get(name))


def _check_count(name: str, given: int, count: int) -> None:
    if given != count:
        raise ValueError(f"tokenize was given {count} images and returned {given} in {name!r}")


def _check_texts(name: str, part: Texts) -> None:
    rows: Any = part.texts
    if not isinstance(rows, tuple) or not all(isinstance(row, tuple) for row in rows):
        raise TypeError(f"tokenize returned no tuple of tuples of texts in {name!r}")
    strange = [one for row in rows for one in row if not isinstance(one, str)]
    if strange:
        raise TypeError(f"tokenize returned {_kind(strange[0])} among the texts in {name!r}")


def _check_ids(name: str, ids: Tensor, codes: int | None) -> None:
    if ids.is_floating_point() or ids.is_complex() or ids.dtype == torch.bool:
        raise TypeError(f"tokenize returned ids of {ids.dtype} in {name!r}, not whole numbers")
    if not ids.numel():
        return
    low, high = int(ids.min()), int(ids.max())
    if low < 0 or (codes is not None and high >= codes):
        strange = low if low < 0 else high
        known = "" if codes is None else f", and part {name!r} has {codes}"
        raise ValueError(
            f"tokenize returned id {strange} in {name!r}: ids count codes from 0{known}"
        )


def check_wave(wave: Any) -> None:
    """Refuse what `prompt` yielded, if it is no wave.

    Raises:
        TypeError: it is no list of prompts.
    """
    if not isinstance(wave, list) or not all(isinstance(one, Prompt) for one in wave):
        raise TypeError(f"prompt yielded {_kind(wave)}, not a list of Prompt")


def check_predictions(predictions: Any, requests: Sequence[Request]) -> list[Prediction]:
    """The predictions that `decode` returned, if they answer the requests.

    Raises:
        TypeError: they are no list, or one is of another kind than its request asks for.
        ValueError: they are too many or too few, or one has a wrong size or impossible values.
    """
    if not isinstance(predictions, list | tuple):
        raise TypeError(f"decode returned {_kind(predictions)}, not a list of predictions")
    if len(predictions) != len(requests):
        raise ValueError(
            f"decode was given {len(requests)} requests and returned {len(predictions)} predictions"
        )
    for prediction, request in zip(predictions, requests, strict=True):
        check_prediction(prediction, request)
    return list(predictions)


def check_prediction(prediction: Any, request: Request) -> None:
    """Refuse a prediction that does not answer its request.

    Raises:
        TypeError: it is of another kind than the request asks for.
        ValueError: it has a wrong size or impossible values.
    """
    size = request.image.size
    match request:
        case Classify() | Caption() | Answer() | Interpret():
            _expect(prediction, TextPrediction)
            _check_text(prediction.text)
        case Reconstruct() | Restore():
            _expect(prediction, ImagePrediction)
            _check_pixels(prediction.pixels, size)
        case Segment() | Ground() | Refine():
            _expect(prediction, Masks)
            _check_masks(prediction.masks, masks_asked(request), size)
        case Reason():
            _expect(prediction, Reasoned)
            _check_text(prediction.text)
            if prediction.box is not None and not within(prediction.box, size):
                raise ValueError(
                    f"the box {prediction.box} is no box (left, top, right, bottom) within "
                    f"{size[1]} x {size[0]} pixels"
                )
        case Detect():
            _expect(prediction, Boxes)
            _check_boxes(prediction, size)
            _check_found(prediction, len(prediction.boxes), request)
        case SegmentInstances():
            _expect(prediction, Instances)
            _check_masks(prediction.masks, len(prediction.scores), size, "score")
            _check_found(prediction, len(prediction.masks), request)
        case Locate():
            _expect(prediction, Boxes)
            _check_boxes(prediction, size)
            _check_scores(prediction.scores)
            if prediction.classes != request.phrases or len(prediction.boxes) != len(
                prediction.classes
            ):
                raise ValueError(
                    f"there are {len(prediction.boxes)} boxes of {prediction.classes}, and one for "
                    f"each of {request.phrases} was asked for, in this order"
                )
        case _:
            assert_never(request)


def check_image(pixels: Tensor) -> None:
    """Refuse what is no image; values beyond rounding are not clamped, which would hide a fault.

    Raises:
        ValueError: values are NaN, infinite or outside [0, 1].
    """
    _finite("image", pixels)
    low, high = float(pixels.min()), float(pixels.max())
    if low < -ROUNDING or high > 1 + ROUNDING:
        raise ValueError(f"the predicted image has values from {low:.3g} to {high:.3g}, not [0, 1]")


def _check_text(text: Any) -> None:
    if not isinstance(text, str):
        raise TypeError(f"the predicted text is {_kind(text)}")


def _check_pixels(pixels: Any, size: tuple[int, int]) -> None:
    if not isinstance(pixels, Tensor) or not pixels.is_floating_point():
        raise TypeError(f"the predicted pixels are {_kind(pixels)}, not a tensor of floats")
    if tuple(pixels.shape) != (3, *size):
        raise ValueError(
            f"the predicted image has shape {list(pixels.shape)}, and {[3, *size]} was asked for"
        )
    check_image(pixels)


def _check_masks(masks: Any, count: int, size: tuple[int, int], each: str = "phrase") -> None:
    if not isinstance(masks, Tensor) or masks.dtype != torch.bool:
        kind = masks.dtype if isinstance(masks, Tensor) else _kind(masks)
        raise TypeError(f"the predicted masks are {kind}, not a tensor of booleans")
    if tuple(masks.shape) != (count, *size):
        raise ValueError(
            f"the predicted masks have shape {list(masks.shape)}, and {[count, *size]} was asked "
            f"for: one mask a {each} at the size of the request's image"
        )


def _check_boxes(prediction: Boxes, size: tuple[int, int]) -> None:
    _finite("boxes", prediction.boxes)
    height, width = size
    for left, top, right, bottom in prediction.boxes.tolist():
        # An empty box is a wrong answer, and a valid one.
        if not (min(left, right, top, bottom) >= 0 and max(left, right) <= width) or (
            max(top, bottom) > height
        ):
            box = left, top, right, bottom
            raise ValueError(f"the box {box} is not within {width} x {height} pixels")


def _check_found(
    prediction: Boxes | Instances, count: int, request: Detect | SegmentInstances
) -> None:
    """Check that each thing has an asked class and a score."""
    strange = set(prediction.classes) - set(request.classes)
    if strange:
        raise ValueError(f"there are {', '.join(sorted(strange))} among the classes, not asked for")
    if not count == len(prediction.classes) == len(prediction.scores):
        what = "boxes" if isinstance(prediction, Boxes) else "masks"
        raise ValueError(f"the predicted {what}, classes and scores differ in number")
    _check_scores(prediction.scores)


def _check_scores(scores: Tensor) -> None:
    _finite("scores", scores)
    for score in scores.tolist():
        if not 0 <= score <= 1:
            raise ValueError(f"the predicted score {score:.3g} is outside of [0, 1]")


def _finite(what: str, tensor: Tensor) -> None:
    broken = int((~torch.isfinite(tensor)).sum())
    if broken:
        raise ValueError(f"the predicted {what} has NaN or infinity in {broken} values")


def _expect(prediction: Any, kind: type) -> None:
    if not isinstance(prediction, kind):
        raise TypeError(f"decode returned {_kind(prediction)} where {kind.__name__} was asked for")


def _kind(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
