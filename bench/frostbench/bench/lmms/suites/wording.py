"""A request in words and images, for other models than our methods."""

import json
from collections.abc import Sequence
from typing import Any

from frostbench.plugins.contract.asked import asked_of
from frostbench.plugins.contract.detection import Detect, Locate, SegmentInstances
from frostbench.plugins.contract.images import Image, to_pillow
from frostbench.plugins.contract.requests import (
    Answer,
    Caption,
    Classify,
    Ground,
    Interpret,
    LabelledImage,
    Reason,
    Reconstruct,
    Request,
    Restore,
    Segment,
    images_of,
)

_MASKS = 'Answer in JSON alone: {"masks": [{"size": [height, width], "counts": "..."}]}, ' + (
    "one COCO run-length encoding each, in this order"
)
_BOXES = 'Answer in JSON alone: {"boxes": [[left, top, right, bottom]], "classes": ["..."], ' + (
    '"scores": [1.0]}, in pixels'
)
_IMAGE = 'Answer in JSON alone: {"images": ["/path/of/the/image.png"]}'


def visuals_of(request: Request) -> list[Any]:
    """The images that a request shows: its examples in order, and its own at the end."""
    others = [image for image in images_of(request) if image != request.image]
    return [to_pillow(image.pixels) for image in (*others, request.image)]


def words_of(request: Request) -> str:
    """The question of a request, in words."""
    match request:
        case Classify(examples=examples, options=options):
            named = _shown(examples)
            return f"{named}What does the last image show? Answer with one of: {_list(options)}."
        case Caption(examples=examples):
            return f"{_shown(examples)}Describe the last image in one sentence."
        case Answer(question=question, examples=examples):
            return f"{_shown(examples)}{question}"
        case Reason(question=question):
            return question
        case Interpret():
            return "Which words describe the image? One a line, the most fitting first."
        case Reconstruct():
            return f"Give the image back. {_IMAGE}."
        case Restore(corruption=corruption):
            height, width = request.image.size
            return f"Undo on the last image: {corruption}. {_IMAGE}, {width} x {height} pixels."
        case Segment(phrases=phrases):
            return f"Give the mask of each of {_list(phrases)}. {_MASKS}."
        case Ground(narrative=narrative):
            return f"{narrative}\nGive the mask of each of {_list(request.texts)}. {_MASKS}."
        case Locate(phrases=phrases):
            return f"Give one box for each of {_list(phrases)}. {_BOXES}, in this order."
        case Detect(classes=classes):
            return f"Give a box for everything that is one of {_list(classes)}. {_BOXES}."
        case SegmentInstances(classes=classes):
            return (
                f"Give a mask for everything that is one of {_list(classes)}. {_MASKS}, "
                'with "classes" and "scores" beside them.'
            )
        case _:
            return asked_of(request)[0]


def _shown(examples: Sequence[LabelledImage]) -> str:
    """The texts about the images before the last one."""
    numbers: dict[Image, int] = {}
    for one in examples:
        numbers.setdefault(one.image, len(numbers) + 1)
    lines = [
        f"Image {numbers[one.image]}: {one.question + ' ' if one.question else ''}{one.text}"
        for one in examples
    ]
    return "".join(f"{line}\n" for line in lines)


def _list(names: Sequence[str]) -> str:
    return ", ".join(json.dumps(name) for name in names)
