"""The control `shuffled_words`: each phrase is asked for in the words of another one."""

import random
from collections.abc import Sequence
from dataclasses import replace

from frostbench.plugins.contract.asked import phrases_of
from frostbench.plugins.contract.detection import Locate
from frostbench.plugins.contract.predictions import Boxes, Prediction
from frostbench.plugins.contract.requests import Ground, Request, Segment, Span


def shuffled(request: Request, pool: Sequence[str], seed: int) -> Request:
    """The request with each of its phrases replaced by a phrase of another request.

    Text between the phrases of a narrative stays. The choice from `pool` depends on the set of
    phrases and on `seed` alone, and is never a phrase that the request asks for. A method that
    reads its phrases is worse on it; one that finds whatever stands out is not.

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
    if isinstance(request, Segment | Locate):
        return replace(request, phrases=tuple(drawn))
    assert isinstance(request, Ground)
    return _narrated(request, drawn)


def in_own_words(prediction: Prediction, request: Request) -> Prediction:
    """The prediction with boxes under the request's own phrases; masks carry no words."""
    if isinstance(prediction, Boxes):
        return replace(prediction, classes=phrases_of(request))
    return prediction


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
