"""The task `visual_grounding`."""

import random
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

import torch

from frostbench.eval_suites.data.sound import asked, sound
from frostbench.eval_suites.detection.settings import LocatingSettings, locating_card
from frostbench.eval_suites.grounding.scenes import ReferringScenes
from frostbench.plugins.contract.boxes import box_of
from frostbench.plugins.contract.datasets import ReferredImage, ReferringSource
from frostbench.plugins.contract.detection import Locate
from frostbench.plugins.contract.predictions import Boxes, Prediction
from frostbench.plugins.contract.requests import Box
from frostbench.plugins.contract.scenes import SceneSet
from frostbench.plugins.contract.seeds import seed_of
from frostbench.plugins.contract.task import Instance, Sample, Task, TrueBoxes


class VisualGrounding(Task):
    """The box of what an expression refers to (RefCOCO, RefCOCO+, RefCOCOg).

    Every sentence of every referent is a request of its own, as published scores count. In scenes,
    methods were trained on the classes, and not on the photographs.
    """

    card = locating_card(LocatingSettings())
    data = LocatingSettings().data
    asks = (SceneSet, ReferringSource)
    settings = LocatingSettings

    def __init__(self, settings: LocatingSettings) -> None:
        self._settings = settings
        self.card = locating_card(settings)
        self.data = settings.data

    def instances(self, data: Any, limit: int, seed: int) -> Iterator[Sample]:
        """At most `limit` sentences, of files in their order.

        `data` gives expressions itself (`ReferringSource`), or scenes to describe. Requests about
        one image are one cluster.
        """
        drawn = not isinstance(data, ReferringSource)
        source = ReferringScenes(data, self._settings.glyphs) if drawn else data
        images = sound(source.referred(seed), self.card.name, None)
        yield from islice(asked(images, partial(self._each, seed=seed)), limit)

    def _each(self, referred: ReferredImage, seed: int) -> Iterator[Instance]:
        for referent in referred.referents:
            target = TrueBoxes((referent.box or box_of(referent.mask),))
            for number, sentence in enumerate(referent.sentences):
                name = f"{self.card.name}-{referred.id}-{referent.id}-{number}"
                request = Locate(name, referred.image, (sentence,), seed_of(seed, name))
                yield Instance(request, target, None, cluster=referred.id)

    def controls(self, instances: Sequence[Instance]) -> Mapping[str, Sequence[Prediction]]:
        """`whole_image`; `centre_box`: the middle half of either side; `random_box`."""
        sizes = [one.request.image.size for one in instances]
        return {
            "whole_image": [
                _boxes(one, (0.0, 0.0, float(width), float(height)))
                for one, (height, width) in zip(instances, sizes, strict=True)
            ],
            "centre_box": [
                _boxes(one, (width / 4, height / 4, 3 * width / 4, 3 * height / 4))
                for one, (height, width) in zip(instances, sizes, strict=True)
            ],
            "random_box": [_boxes(one, _drawn(one)) for one in instances],
        }


def _drawn(instance: Instance) -> Box:
    """A box between two corners that are drawn evenly from the request's seed."""
    draw = random.Random(instance.request.seed)
    height, width = instance.request.image.size
    left, right = sorted(draw.uniform(0, width) for _ in range(2))
    top, bottom = sorted(draw.uniform(0, height) for _ in range(2))
    return left, top, right, bottom


def _boxes(instance: Instance, box: Box) -> Boxes:
    """The same box for each phrase."""
    request = instance.request
    assert isinstance(request, Locate)
    count = len(request.phrases)
    return Boxes(torch.tensor([box] * count), request.phrases, torch.ones(count))
