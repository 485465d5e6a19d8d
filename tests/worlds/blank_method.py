"""A plugin file: a method that reads the mean colour of an image, and needs no backbone."""

import torch

from frostbench.plugins import (
    Card,
    Grid,
    ImagePrediction,
    Method,
    Offer,
    TextPrediction,
    VisualTokens,
    hookimpl,
)

CARD = Card(
    name="blank",
    paper="https://example.org/blank",
    capabilities=frozenset({"Answer", "Caption", "Classify", "Reconstruct", "Restore"}),
)


class Blank(Method):
    """Gives every image back as it came in, and answers "a" or the first option."""

    card = CARD

    @classmethod
    def build(cls, setup):
        return cls()

    @classmethod
    def toy(cls):
        return cls()

    @property
    def fingerprint(self):
        return "0" * 8

    def tokenize(self, images, sizes):
        return VisualTokens({"local": Grid(torch.zeros(len(images), 1, 1, dtype=torch.int64))})

    def prompt(self, request, tokens):
        return None
        yield

    def decode(self, requests, outcomes):
        return [
            ImagePrediction(request.image.pixels)
            if type(request).__name__ in ("Restore", "Reconstruct")
            else TextPrediction((*getattr(request, "options", ()), "a")[0])
            for request in requests
        ]


@hookimpl
def frostbench_methods():
    return [Offer(CARD, Blank)]
