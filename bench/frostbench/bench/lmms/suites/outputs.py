"""Predictions as texts and back, since models of lmms-eval return texts only.

A text is itself. All else is JSON: `{"images": ["/path.png"]}`, `{"masks": [{"size", "counts"}]}`
in COCO's run lengths, `{"boxes": [[left, top, right, bottom]], "classes", "scores"}` in pixels,
`{"text", "box"}` for an answer with the box that was looked at.
"""

import json
import os
from pathlib import Path
from typing import Any

import torch

from frostbench.bench.store.blobs import Blobs
from frostbench.bench.store.masks import masks_of
from frostbench.bench.store.records import Stored
from frostbench.bench.store.typed import typed
from frostbench.plugins.contract.detection import Detect, Locate, SegmentInstances
from frostbench.plugins.contract.images import read_image
from frostbench.plugins.contract.predictions import (
    Boxes,
    ImagePrediction,
    Instances,
    Masks,
    Prediction,
    Reasoned,
    TextPrediction,
)
from frostbench.plugins.contract.requests import (
    Ground,
    Reason,
    Reconstruct,
    Refine,
    Request,
    Restore,
    Segment,
)
from frostbench.plugins.contract.validity import check_prediction


def said_in(stored: Stored, blobs: Blobs) -> str:
    """A stored prediction as a text."""
    match stored.kind:
        case "text":
            return stored.text or ""
        case "image":
            return json.dumps({"text": "", "images": [os.path.abspath(_path(stored, blobs))]})
        case "masks":
            return json.dumps({"masks": _values(stored, blobs)})
        case "reasoned":
            return json.dumps({"text": stored.text or "", "box": _values(stored, blobs)})
        case _:
            return json.dumps(_values(stored, blobs))


def said_whole(stored: Stored, blobs: Blobs) -> str:
    """The same, with texts that lmms-eval would cut protected in JSON."""
    text = said_in(stored, blobs)
    cut = text != text.strip() or "<" in text or text.startswith("{")
    return json.dumps({"text": text}) if stored.kind == "text" and cut else text


def prediction_in(said: str, request: Request) -> Prediction:
    """Read a text as a prediction for a request.

    Raises:
        ValueError: it is none; the message says what is wrong.
        TypeError: it is another kind of prediction.
    """
    found = _found(said, request)
    check_prediction(found, request)
    return found


def _found(said: str, request: Request) -> Prediction:
    match request:
        case Reconstruct() | Restore():
            (path,) = typed(tuple[str, ...], _object(said).get("images", ()))
            return ImagePrediction(read_image(Path(path)).pixels)
        case Segment() | Ground() | Refine():
            return Masks(masks_of(_object(said).get("masks", ())))
        case Detect() | Locate():
            values = _object(said)
            boxes = typed(tuple[tuple[float, float, float, float], ...], values.get("boxes", ()))
            classes = request.phrases if isinstance(request, Locate) else ()
            return Boxes(
                torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
                typed(tuple[str, ...], values.get("classes", classes)),
                _scores(values, len(boxes)),
            )
        case SegmentInstances():
            values = _object(said)
            masks = masks_of(values.get("masks", ()))
            names = typed(tuple[str, ...], values.get("classes", ()))
            return Instances(masks, names, _scores(values, len(masks)))
        case Reason():
            values = _object(said) if said.lstrip().startswith("{") else {"text": said}
            box = typed(tuple[float, float, float, float] | None, values.get("box"))
            return Reasoned(typed(str, values.get("text", "")), box)
        case _:
            return TextPrediction(_text(said))


def _text(said: str) -> str:
    """A text, taken out of the JSON that protects its blanks, if there is any."""
    if said.startswith("{"):
        try:
            values = json.loads(said)
        except ValueError:
            return said
        if isinstance(values, dict) and list(values) == ["text"]:
            return str(values["text"])
    return said


def _object(said: str) -> dict[str, Any]:
    """The JSON object in a text, whatever stands around it."""
    start, end = said.find("{"), said.rfind("}")
    try:
        values = json.loads(said[start : end + 1]) if 0 <= start < end else None
    except ValueError as error:
        raise ValueError(f"its JSON cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise ValueError("it holds no JSON object")
    return values


def _scores(values: dict[str, Any], count: int) -> torch.Tensor:
    scores = typed(tuple[float, ...], values.get("scores", [1.0] * count))
    return torch.tensor(scores, dtype=torch.float32)


def _path(stored: Stored, blobs: Blobs) -> Path:
    assert stored.blob is not None
    return blobs.path(stored.blob)


def _values(stored: Stored, blobs: Blobs) -> Any:
    assert stored.blob is not None
    return blobs.json(stored.blob)
