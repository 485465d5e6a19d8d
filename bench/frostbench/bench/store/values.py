"""Predictions and targets, to the store and back."""

from dataclasses import dataclass
from typing import Any, TypeAlias, assert_never

import torch

from frostbench.bench.store.blobs import Blobs, rounded
from frostbench.bench.store.masks import masks_of, run_lengths
from frostbench.bench.store.records import Stored
from frostbench.bench.store.typed import typed
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.predictions import (
    Boxes,
    ImagePrediction,
    Masks,
    Prediction,
    Reasoned,
    TextPrediction,
)
from frostbench.plugins.contract.task import Target, TrueAnswer, TrueMasks

_Corners: TypeAlias = tuple[float, float, float, float]


@dataclass(frozen=True)
class _Boxes:
    """The blob of a prediction of boxes."""

    boxes: tuple[_Corners, ...]
    classes: tuple[str, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True)
class _Masks:
    """The blob of a target of masks."""

    masks: list[Any]
    kinds: tuple[tuple[str, ...], ...]


def as_stored(prediction: Prediction) -> Prediction:
    """The prediction as it will come back from the store: what metrics are given."""
    match prediction:
        case ImagePrediction(pixels):
            return ImagePrediction(rounded(pixels))
        case _:
            return prediction


def target_as_stored(target: Target) -> Target:
    """The target as it will come back from the store."""
    return Image(rounded(target.pixels), target.name) if isinstance(target, Image) else target


def store_prediction(prediction: Prediction, blobs: Blobs) -> Stored:
    """Keep a prediction."""
    match prediction:
        case TextPrediction(text):
            return Stored("text", text=text)
        case ImagePrediction(pixels):
            return Stored("image", blob=blobs.put_image(pixels))
        case Masks(masks):
            return Stored("masks", blob=blobs.put_json(run_lengths(masks)))
        case Reasoned(text, box):
            return Stored("reasoned", text=text, blob=blobs.put_json(box))
        case Boxes(boxes, classes, scores):
            values = {"boxes": boxes.tolist(), "classes": classes, "scores": scores.tolist()}
            return Stored("boxes", blob=blobs.put_json(values))
        case _:
            assert_never(prediction)


def load_prediction(stored: Stored, blobs: Blobs) -> Prediction | None:
    """A prediction that was kept; None where there was none."""
    if stored.kind == "none":
        return None
    if stored.kind == "text":
        return TextPrediction(stored.text or "")
    if stored.blob is None:
        raise ValueError(f"a prediction of the kind {stored.kind!r} has no blob.")
    if stored.kind == "image":
        return ImagePrediction(blobs.pixels(stored.blob))
    values = blobs.json(stored.blob)
    if stored.kind == "masks":
        return Masks(masks_of(values))
    if stored.kind == "reasoned":
        return Reasoned(stored.text or "", typed(_Corners | None, values))
    found: _Boxes = typed(_Boxes, values)
    boxes = torch.tensor(found.boxes, dtype=torch.float32).reshape(-1, 4)
    return Boxes(boxes, found.classes, torch.tensor(found.scores, dtype=torch.float32))


def store_target(target: Target, blobs: Blobs) -> Stored:
    """Keep a target."""
    match target:
        case Image():
            return Stored("image", blob=blobs.put_image(target.pixels))
        case TrueMasks(masks, kinds):
            values = {"masks": run_lengths(masks), "kinds": kinds}
            return Stored("masks", blob=blobs.put_json(values))
        case TrueAnswer(texts, box):
            first = texts[0] if texts else ""
            return Stored("reasoned", text=first, blob=blobs.put_json(box), accepted=texts)
        case str():
            return Stored("text", text=target)
        case _:
            return Stored("text", text=target[0] if target else "", accepted=target)


def load_target(stored: Stored, blobs: Blobs) -> Target:
    """A target that was kept."""
    if stored.blob is None:
        return stored.accepted or stored.text or ""
    if stored.kind == "image":
        return Image(blobs.pixels(stored.blob))
    values = blobs.json(stored.blob)
    if stored.kind == "masks":
        parts: _Masks = typed(_Masks, values)
        return TrueMasks(masks_of(parts.masks), parts.kinds)
    return TrueAnswer(stored.accepted, typed(_Corners, values))
