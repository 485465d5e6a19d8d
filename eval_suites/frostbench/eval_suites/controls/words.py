"""The control `shuffled_words`: every phrase with the words of another."""

import random
from collections.abc import Sequence
from dataclasses import replace

from frostbench.plugins.contract.requests import (
    Answer,
    Ground,
    Reason,
    Request,
    Segment,
    Span,
    spans_in,
)

_BETWEEN = " · "


def phrases_of(request: Request) -> tuple[str, ...]:
    """The phrases that a request asks masks for, as they stand in it."""
    match request:
        case Segment():
            return request.phrases
        case Ground():
            return request.texts
        case _:
            return ()


def asked_of(request: Request) -> tuple[str, tuple[Span, ...]]:
    """What a request says of its image, for people, and where in it its phrases stand.

    >>> from frostbench.plugins.contract.images import Image
    >>> asked_of(Segment("s", Image(torch.zeros(3, 1, 1)), ("a cat", "a dog")))
    ('a cat · a dog', ((0, 5), (8, 13)))
    """
    match request:
        case Segment():
            text = _BETWEEN.join(request.phrases)
            return text, spans_in(text, request.phrases)
        case Ground():
            return request.narrative, request.phrases
        case Answer() | Reason():
            return request.question, ()
        case _:
            return "", ()


def shuffled_words(request: Request, pool: Sequence[str], seed: int) -> Request:
    """The request with each of its phrases exchanged for one of another request's.

    What is between the phrases of a narrative stays. Which phrase of `pool` comes in depends on the
    set of phrases and on `seed` alone; none is one that the request asks for. A method that reads
    its phrases is worse on it; one that finds whatever stands out is not.

    Raises:
        ValueError: the request has no phrase, its phrases overlap, or the pool has no others.
    """
    own = phrases_of(request)
    if not own:
        raise ValueError(
            f"{request.id!r} is a {type(request).__name__} request and has no phrases to exchange."
        )
    others = sorted(set(pool) - set(own))
    if not others:
        raise ValueError("there is no other phrase to exchange words with; run more samples.")
    draw = random.Random(seed)
    drawn = [draw.choice(others) for _ in own]
    if isinstance(request, Segment):
        return replace(request, phrases=tuple(drawn))
    assert isinstance(request, Ground)
    return _narrated(request, drawn)


def _narrated(request: Ground, phrases: Sequence[str]) -> Ground:
    """The narrative with other phrases in the places of its own."""
    order = sorted(range(len(phrases)), key=lambda index: request.phrases[index])
    text, behind = "", 0
    spans: dict[int, Span] = {}
    for index in order:
        start, end = request.phrases[index]
        if start < behind:
            raise ValueError(f"phrases of {request.id!r} overlap, and cannot be exchanged.")
        text += request.narrative[behind:start]
        spans[index] = len(text), len(text) + len(phrases[index])
        text, behind = text + phrases[index], end
    return replace(
        request,
        narrative=text + request.narrative[behind:],
        phrases=tuple(spans[index] for index in range(len(phrases))),
    )
