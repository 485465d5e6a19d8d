"""The control `shuffled_classes`: the prompt names the classes in another order."""

import random
from dataclasses import replace

from frostbench.plugins.contract.detection import Detect, SegmentInstances
from frostbench.plugins.contract.predictions import Boxes, Instances, Prediction
from frostbench.plugins.contract.requests import Request


def reordered(request: Request, seed: int) -> Detect | SegmentInstances:
    """The request with its classes in another order; none keeps its place.

    A method that reads the class words finds the same things under the same names.

    Raises:
        ValueError: the request names no classes, or one alone.
    """
    asked = _asked(request)
    return replace(asked, classes=tuple(_exchange(asked, seed).values()))


def exchanged(prediction: Prediction, request: Request, seed: int) -> Prediction:
    """The prediction with each class replaced by the one that the request names in its place.

    Found things stay, with other class names; only a method that goes by the order of the classes,
    and not by their words, loses nothing.

    Raises:
        ValueError: the request names no classes, or one alone, or the prediction has none.
    """
    back = {said: own for own, said in _exchange(_asked(request), seed).items()}
    if not isinstance(prediction, Boxes | Instances):
        raise ValueError(f"a {type(prediction).__name__} has no classes to exchange.")
    return replace(prediction, classes=tuple(back[name] for name in prediction.classes))


def _asked(request: Request) -> Detect | SegmentInstances:
    if not isinstance(request, Detect | SegmentInstances):
        raise ValueError(
            f"{request.id!r} is a {type(request).__name__} request and names no classes."
        )
    if len(request.classes) < 2:
        raise ValueError("there is no other class to exchange words with; name two or more.")
    return request


def _exchange(request: Detect | SegmentInstances, seed: int) -> dict[str, str]:
    """For each class the one that stands in its place: one random cycle (Sattolo's algorithm)."""
    cycle = list(request.classes)
    draw = random.Random(seed)
    for last in range(len(cycle) - 1, 0, -1):
        other = draw.randrange(last)
        cycle[last], cycle[other] = cycle[other], cycle[last]
    return dict(zip(request.classes, cycle, strict=True))
