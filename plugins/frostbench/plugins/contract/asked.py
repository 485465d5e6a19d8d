"""What a request asks about its image, as text for people and for controls."""

from frostbench.plugins.contract.detection import Detect, Locate, SegmentInstances
from frostbench.plugins.contract.requests import (
    Answer,
    Ground,
    Reason,
    Request,
    Segment,
    Span,
    spans_in,
)


def phrases_of(request: Request) -> tuple[str, ...]:
    """The phrases that a request asks masks or boxes for, as they stand in it."""
    match request:
        case Segment() | Locate():
            return request.phrases
        case Ground():
            return request.texts
        case _:
            return ()


def asked_of(request: Request) -> tuple[str, tuple[Span, ...]]:
    """What a request asks about its image, as text, and where phrases or classes stand in it.

    >>> import torch
    >>> from frostbench.plugins.contract.images import Image
    >>> asked_of(Segment("s", Image(torch.zeros(3, 1, 1)), ("a cat", "a dog")))
    ('a cat · a dog', ((0, 5), (8, 13)))
    """
    match request:
        case Segment() | Locate():
            text = " · ".join(request.phrases)
            return text, spans_in(text, request.phrases)
        case Ground():
            return request.narrative, request.phrases
        case Answer() | Reason():
            return request.question, ()
        case Detect() | SegmentInstances():
            text = ", ".join(request.classes)
            return text, spans_in(text, request.classes)
        case _:
            return "", ()
