"""Answers: a method's three verbs in their order, each result checked before the next uses it."""

import math
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from typing import Any

import torch

from frostbench.plugins.contract.completions import Completion
from frostbench.plugins.contract.engine import Engine, UnanswerableError
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.method import Method, Tokens, Waves, refusal, visual_tokens
from frostbench.plugins.contract.predictions import Prediction
from frostbench.plugins.contract.prompts import Prompt
from frostbench.plugins.contract.requests import Request, images_of
from frostbench.plugins.contract.tokens import VisualTokens
from frostbench.plugins.contract.validity import check_predictions, check_tokens, check_wave
from frostbench.plugins.engine.allowance import Allowance
from frostbench.plugins.engine.waves import drive
from frostbench.plugins.host.containment import Call, Interrupted, contain
from frostbench.plugins.host.limits import limits


@torch.no_grad()
def answer(
    method: Method, requests: Sequence[Request], engine: Engine, tokens: Tokens | None = None
) -> list[Prediction]:
    """The method's predictions; `tokens` are the visual tokens of all images, if there are any yet.

    Raises:
        UnanswerableError: a request failed.
        TypeError: a verb returned another kind than was asked for.
        ValueError: it is not valid; see `contract.validity`.
    """
    if tokens is None:
        images = dict.fromkeys(image for request in requests for image in images_of(request))
        tokens = tokenized(method, list(images))
    return decoded(method, requests, outcomes(method, requests, engine, tokens))


def tokenized(method: Method, images: Sequence[Image]) -> dict[Image, VisualTokens]:
    """The visual tokens of images, made in one batch."""
    tokens = visual_tokens(method, images)
    check_tokens(tokens, len(images), method.codes)
    return dict(zip(images, tokens.split(), strict=True))


def outcomes(
    method: Method, requests: Sequence[Request], engine: Engine, tokens: Tokens
) -> list[Any]:
    """What the requests' prompts led to.

    Raises:
        UnanswerableError: a request failed; the first is named.
    """
    driven = drive([waves_of(method, request, tokens) for request in requests], engine)
    for request, outcome in zip(requests, driven, strict=True):
        if outcome.error is not None:
            kind = type(request).__name__
            raise UnanswerableError(f"request {request.id!r} ({kind}) failed: {outcome.error}")
    return [outcome.value for outcome in driven]


def decoded(
    method: Method, requests: Sequence[Request], outcomes: Sequence[Any]
) -> list[Prediction]:
    """The method's predictions of outcomes, one a request."""
    return check_predictions(method.decode(requests, outcomes), requests)


def waves_of(
    method: Method,
    request: Request,
    tokens: Tokens,
    rewrite: Callable[[Prompt], Prompt] | None = None,
) -> Waves:
    """The waves of one request, each checked, with each prompt changed by `rewrite`.

    The method is shown the tokens of the request's own images and no others, and only requests of
    types that its card names. `prompt` is called when the generator is first advanced.

    Raises:
        TypeError: the card does not name the request's type, `prompt` returned no generator, or a
            wave is no list of prompts.
        ValueError: a prompt cannot be rewritten.
        LimitError: there are more waves, or they take more seconds, than a request may.
    """
    if type(request).__name__ not in method.card.capabilities:
        raise refusal(method.card, request)
    own = {image: tokens[image] for image in images_of(request) if image in tokens}
    call = Call("method", method.card.name, "prompt")
    left = Allowance(limits())
    waves = left.of(call, method.prompt, request, own)
    if not isinstance(waves, Generator):
        kind = "None" if waves is None else f"a {type(waves).__name__}"
        raise TypeError(f"prompt returned {kind}, not a generator (it has to yield)")
    completions: list[Completion] | None = None
    try:
        while True:
            try:
                if completions is None:
                    wave = left.of(call, next, waves)
                else:
                    wave = left.of(call, waves.send, completions)
            except StopIteration as stop:
                return stop.value
            check_wave(wave)
            left.count_wave()
            if rewrite is not None:
                wave = contain(None, list, map(rewrite, wave))
            completions = yield wave
            left.spend(math.fsum(one.cost.seconds for one in completions))
    finally:
        # It is left unfinished only where the request has failed already.
        with suppress(Exception, Interrupted):
            contain(call, waves.close)
