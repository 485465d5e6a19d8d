"""A method without any model that answers all of the suite `detection`: it knows the scenes.

It draws them as the suite does and finds an image again by its digest, so that it can be as good,
and go wrong as often, as a test wants: boxes are off by a pixel or two, one thing in six is missed,
and beside them stands a box where there is nothing.
"""

import random
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from frostbench.eval_suites.detection.scenes import BoxedScenes
from frostbench.eval_suites.detection.settings import DetectionSettings
from frostbench.eval_suites.grounding.scenes import ReferringScenes
from frostbench.packs.mini.scenes.datasets import GlyphScenes, KnownGlyphScenes
from frostbench.plugins import (
    Boxes,
    Card,
    Detect,
    Grid,
    Image,
    Instances,
    Locate,
    Method,
    Prediction,
    Request,
    SegmentInstances,
    Setup,
    Thing,
    VisualTokens,
    hookimpl,
)
from frostbench.plugins.contract.boxes import box_of
from frostbench.plugins.host.packs import embedded_pack

KNOWN = 70  # scenes of each kind


@cache
def drawn(seed: int = 0) -> Mapping[str, tuple[Thing, ...]]:
    """By an image's digest the things that it shows; a referent is called by its sentence."""
    found: dict[str, tuple[Thing, ...]] = {}
    for kind in (KnownGlyphScenes, GlyphScenes):
        scenes = kind(embedded_pack("mini") / "data")
        boxed = BoxedScenes(scenes, DetectionSettings(), seed)
        for one in (boxed[index] for index in range(KNOWN)):
            found[one.image.digest] = one.things
        for referred in islice(ReferringScenes(scenes, 4).referred(seed), KNOWN):
            found[referred.image.digest] = tuple(
                Thing(sentence, box_of(one.mask), float(one.mask.sum()), one.mask)
                for one in referred.referents
                for sentence in one.sentences
            )
    return found


class KnowingThings(Method):
    """Everything that a scene shows, with a few mistakes."""

    card = Card(
        name="knowing_things",
        paper="none: a method for tests",
        summary="knows the scenes, no model",
        capabilities=frozenset({"Detect", "SegmentInstances", "Locate"}),
        controls=("no_llm", "every_query"),
    )

    def __init__(self, instead: str = "") -> None:
        self._instead = instead

    @classmethod
    def build(cls, setup: Setup) -> "KnowingThings":
        return cls()

    @classmethod
    def toy(cls) -> "KnowingThings":
        return cls()

    @property
    def fingerprint(self) -> str:
        return "0" * 16

    def control(self, name: str) -> "KnowingThings":
        return KnowingThings(name) if name in self.card.controls else super().control(name)

    def tokenize(self, images: Float[Tensor, "b 3 h w"], sizes: Int[Tensor, "b 2"]) -> VisualTokens:
        return VisualTokens({"nothing": Grid(torch.zeros(len(images), 1, 1, dtype=torch.long))})

    def prompt(self, request: Request, tokens: Any) -> Any:
        if not isinstance(request, Detect | SegmentInstances | Locate):
            raise TypeError(f"{type(request).__name__} requests are not answered.")
        yield []
        return drawn().get(request.image.digest, ())

    def decode(self, requests: Sequence[Request], outcomes: Sequence[Any]) -> list[Prediction]:
        return [self._answer(*pair) for pair in zip(requests, outcomes, strict=True)]

    def _answer(self, request: Request, things: Sequence[Thing]) -> Prediction:
        draw = random.Random(request.image.digest)
        if isinstance(request, Locate):
            boxes = {one.name: one.box for one in things}
            rest = (0.0, 0.0, 1.0, 1.0)
            found = [boxes.get(phrase, rest) for phrase in request.phrases]
            return Boxes(torch.tensor(found), request.phrases, torch.ones(len(found)))
        assert isinstance(request, Detect | SegmentInstances)
        masks, classes, scores = [], [], []
        for one in things:
            missed = draw.random() < 1 / 6
            shift = draw.randint(0, 2), draw.randint(0, 2)
            score = draw.uniform(0.4, 1)
            unseen = one.name not in request.classes
            if (missed or unseen) and self._instead != "every_query":
                continue
            assert one.mask is not None
            random_name = draw.choice(request.classes)
            masks.append(one.mask.roll(shift, (0, 1)))
            classes.append(random_name if unseen or self._instead == "no_llm" else one.name)
            scores.append(score)
        masks.append(_square(request.image))
        classes.append(draw.choice(request.classes))
        scores.append(draw.uniform(0, 0.6))
        if isinstance(request, SegmentInstances):
            return Instances(torch.stack(masks), tuple(classes), torch.tensor(scores))
        found = torch.tensor([box_of(mask) for mask in masks])
        return Boxes(found, tuple(classes), torch.tensor(scores))


def _square(image: Image) -> Tensor:
    mask = torch.zeros(*image.size, dtype=torch.bool)
    mask[:12, :12] = True
    return mask


@hookimpl
def frostbench_methods() -> list[type[Method]]:
    return [KnowingThings]
