"""Predictions and targets, to the store and back."""

from itertools import groupby
from typing import assert_never

import torch
from jaxtyping import Bool
from torch import Tensor

from frostbench.eval_suites.store.blobs import Blobs, rounded
from frostbench.eval_suites.store.records import Stored
from frostbench.plugins.images import Image
from frostbench.plugins.predictions import (
    Boxes,
    ImagePrediction,
    Masks,
    Prediction,
    TextPrediction,
)
from frostbench.plugins.task import Target


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
            return Stored("masks", blob=blobs.put_json([run_lengths(mask) for mask in masks]))
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
    assert stored.blob is not None
    if stored.kind == "image":
        return ImagePrediction(blobs.pixels(stored.blob))
    values = blobs.json(stored.blob)
    if stored.kind == "masks":
        masks = [mask_of(entry["size"], entry["counts"]) for entry in values]
        return Masks(torch.stack(masks) if masks else torch.zeros(0, 1, 1, dtype=torch.bool))
    boxes = torch.tensor(values["boxes"], dtype=torch.float32).reshape(-1, 4)
    scores = torch.tensor(values["scores"], dtype=torch.float32)
    return Boxes(boxes, tuple(values["classes"]), scores)


def store_target(target: Target, blobs: Blobs) -> Stored:
    """Keep a target."""
    if isinstance(target, Image):
        return Stored("image", blob=blobs.put_image(target.pixels))
    if isinstance(target, str):
        return Stored("text", text=target)
    return Stored("text", text=target[0] if target else "", accepted=target)


def load_target(stored: Stored, blobs: Blobs) -> Target:
    """A target that was kept."""
    if stored.kind == "image":
        assert stored.blob is not None
        return Image(blobs.pixels(stored.blob))
    return stored.accepted or stored.text or ""


def run_lengths(mask: Bool[Tensor, "h w"]) -> dict[str, list[int]]:
    """A mask in COCO's run-length encoding: column by column, beginning with what is not in it.

    >>> run_lengths(torch.tensor([[False, True], [True, True]]))
    {'size': [2, 2], 'counts': [1, 3]}
    """
    counts = [] if not bool(mask.flatten()[:1].any()) else [0]
    flat = mask.t().flatten().tolist()
    counts += [len(list(run)) for _, run in groupby(flat)]
    return {"size": [int(mask.shape[0]), int(mask.shape[1])], "counts": counts}


def mask_of(size: list[int], counts: list[int]) -> Bool[Tensor, "h w"]:
    """The mask that `run_lengths` described."""
    inside = torch.arange(len(counts)) % 2 == 1
    flat = torch.repeat_interleave(inside, torch.tensor(counts, dtype=torch.long))
    return flat.reshape(size[1], size[0]).t().contiguous()
