"""A plugin file: a method that answers by how bright an image is, and needs no model."""

import os
import signal
from pathlib import Path

import torch

from frostbench.plugins import (
    Card,
    Grid,
    ImagePrediction,
    Method,
    TextPrediction,
    VisualTokens,
    hookimpl,
)

ASKED = os.environ.get("BRIGHT_ASKED")  # a file that counts what is asked
LIMIT = int(os.environ.get("BRIGHT_DIES_AFTER", "0"))


class Bright(Method):
    """Yes or B where the image is bright, no or A where it is dark, by what the question wants."""

    card = Card(
        name="bright",
        paper="none: a test",
        capabilities=frozenset({"Answer", "Caption", "Reconstruct"}),
    )
    fingerprint = "b" * 8

    @classmethod
    def build(cls, setup):
        return cls()

    @classmethod
    def toy(cls):
        return cls()

    def tokenize(self, images, sizes):
        levels = (images.mean((1, 2, 3)) * 255).round().long()
        return VisualTokens({"level": Grid(levels[:, None, None])})

    def prompt(self, request, tokens):
        if ASKED:
            with Path(ASKED).open("a") as file:
                shown = len(getattr(request, "examples", ()))
                task = "pope" if "there" in request.question else "_mme"
                file.write(f"{task}-{request.id} examples {shown}\n")
            if LIMIT and len(Path(ASKED).read_text().splitlines()) > LIMIT:
                os.kill(os.getpid(), signal.SIGKILL)
        return int(tokens[request.image].grid("level")[0, 0, 0])
        yield

    def decode(self, requests, outcomes):
        return [self._said(*pair) for pair in zip(requests, outcomes, strict=True)]

    def _said(self, request, level):
        bright = level >= 100
        match type(request).__name__:
            case "Reconstruct":
                return ImagePrediction(torch.full_like(request.image.pixels, level / 255))
            case "Caption":
                return TextPrediction(f"a {'bright' if bright else 'dark'} image")
            case _:
                lettered = "letter" in request.question
                words = ("B.", "A.") if lettered else ("yes", "no")
                return TextPrediction(words[0 if bright else 1])


@hookimpl
def frostbench_methods():
    return [Bright]
