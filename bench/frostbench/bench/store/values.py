"""Writes predictions and targets to the store, and reads them back."""

from collections.abc import Sequence
from typing import Any, assert_never

import torch

from frostbench.bench.store.blobs import Blobs, rounded
from frostbench.bench.store.forms import (
    Corners,
    StoredBoxes,
    StoredInstances,
    StoredMasks,
    StoredThing,
    StoredThings,
)
from frostbench.bench.store.letters import in_whole_letters
from frostbench.bench.store.masks import masks_of, run_lengths
from frostbench.bench.store.records import Stored
from frostbench.bench.store.typed import typed
from frostbench.plugins.contract.datasets import Thing
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.predictions import (
    Boxes,
    ImagePrediction,
    Instances,
    Masks,
    Prediction,
    Reasoned,
    TextPrediction,
)
from frostbench.plugins.contract.task import (
    Target,
    TrueAnswer,
    TrueBoxes,
    TrueMasks,
    TrueThings,
)


def as_stored(prediction: Prediction) -> Prediction:
    """The prediction as it will come back from the store, which is what metrics get."""
    match prediction:
        case TextPrediction(text):
            return TextPrediction(in_whole_letters(text))
        case Reasoned(text, box):
            return Reasoned(in_whole_letters(text), box)
        case ImagePrediction(pixels):
            return ImagePrediction(rounded(pixels))
        case Boxes(boxes, classes, scores):
            return Boxes(boxes.float().cpu(), classes, scores.float().cpu())
        case Instances(masks, classes, scores):
            return Instances(masks.cpu(), classes, scores.float().cpu())
        case _:
            return prediction


def target_as_stored(target: Target) -> Target:
    """The target as it will come back from the store."""
    match target:
        case Image():
            return Image(rounded(target.pixels), target.name)
        case str():
            return in_whole_letters(target)
        case tuple():
            return tuple(map(in_whole_letters, target))
        case TrueAnswer(texts, box):
            return TrueAnswer(tuple(map(in_whole_letters, texts)), box)
        case _:
            return target


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
        case Instances(masks, classes, scores):
            lengths = run_lengths(masks)
            values = {"masks": lengths, "classes": classes, "scores": scores.tolist()}
            return Stored("instances", blob=blobs.put_json(values))
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
        return Reasoned(stored.text or "", typed(Corners | None, values))
    if stored.kind == "instances":
        several: StoredInstances = typed(StoredInstances, values)
        scores = torch.tensor(several.scores, dtype=torch.float32)
        return Instances(masks_of(several.masks), several.classes, scores)
    found: StoredBoxes = typed(StoredBoxes, values)
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
        case TrueThings(things, unasked):
            both = {"things": _plain(things), "unasked": _plain(unasked)}
            return Stored("things", blob=blobs.put_json(both))
        case TrueBoxes(boxes):
            return Stored("boxes", blob=blobs.put_json(boxes))
        case str():
            return Stored("text", text=target)
        case tuple():
            return Stored("text", text=target[0] if target else "", accepted=target)
        case _:
            assert_never(target)


def load_target(stored: Stored, blobs: Blobs) -> Target:
    """A target that was kept."""
    if stored.blob is None:
        return stored.accepted or stored.text or ""
    if stored.kind == "image":
        return Image(blobs.pixels(stored.blob))
    values = blobs.json(stored.blob)
    if stored.kind == "masks":
        parts: StoredMasks = typed(StoredMasks, values)
        return TrueMasks(masks_of(parts.masks), parts.kinds)
    if stored.kind == "things":
        both: StoredThings = typed(StoredThings, values)
        return TrueThings(tuple(map(_thing, both.things)), tuple(map(_thing, both.unasked)))
    if stored.kind == "boxes":
        return TrueBoxes(typed(tuple[Corners, ...], values))
    return TrueAnswer(stored.accepted, typed(Corners, values))


def _plain(things: Sequence[Thing]) -> list[dict[str, Any]]:
    """Things as `StoredThing` reads them; a mask is one run-length encoding, or None."""
    return [
        {
            "name": thing.name,
            "box": thing.box,
            "area": thing.area,
            "mask": None if thing.mask is None else run_lengths(thing.mask[None])[0],
            "crowd": thing.crowd,
        }
        for thing in things
    ]


def _thing(read: StoredThing) -> Thing:
    mask = None if read.mask is None else masks_of([read.mask])[0]
    return Thing(read.name, read.box, read.area, mask, read.crowd)
