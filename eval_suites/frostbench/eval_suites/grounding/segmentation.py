"""The tasks `referring_segmentation` and `narrative_grounding`."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from frostbench.eval_suites.data.sound import asked, sound
from frostbench.eval_suites.grounding.scenes import NarratedScenes, ReferringScenes
from frostbench.eval_suites.grounding.settings import (
    NarrativeSettings,
    ReferringSettings,
    narrative_card,
    referring_card,
)
from frostbench.plugins.contract.datasets import (
    NarrativeSource,
    ReferredImage,
    ReferringSource,
)
from frostbench.plugins.contract.predictions import Masks, Prediction
from frostbench.plugins.contract.requests import Ground, Segment, masks_asked
from frostbench.plugins.contract.scenes import SceneSet
from frostbench.plugins.contract.seeds import seed_of
from frostbench.plugins.contract.task import Instance, Sample, Task, TrueMasks, Unreadable


class ReferringSegmentation(Task):
    """The mask of what an expression refers to (RefCOCO, RefCOCO+, RefCOCOg).

    In scenes, nothing was trained on the classes.
    """

    card = referring_card(ReferringSettings())
    data = ReferringSettings().data
    asks = (SceneSet, ReferringSource)
    settings = ReferringSettings
    shortened_by = ("glyphs",)

    def __init__(self, settings: ReferringSettings) -> None:
        self._settings = settings
        self.card = referring_card(settings)
        self.data = settings.data

    def instances(self, data: Any, limit: int, seed: int) -> Iterator[Sample]:
        """At most `limit` requests for each protocol, one protocol after the other.

        `data` gives expressions itself (`ReferringSource`), or scenes to describe. Requests about
        one image are one cluster.
        """
        drawn = not isinstance(data, ReferringSource)
        source = ReferringScenes(data, self._settings.glyphs) if drawn else data
        for protocol in self._settings.protocols:
            ask = self._each if protocol == "standard" else self._together
            images = sound(source.referred(seed), self.card.name, protocol)
            yield from islice(asked(images, partial(ask, seed=seed)), limit)

    def _each(self, referred: ReferredImage, seed: int) -> Iterator[Instance]:
        for referent in referred.referents:
            for number, sentence in enumerate(referent.sentences):
                name = f"{self.card.name}-{referred.id}-{referent.id}-{number}"
                own = seed_of(seed, name, "standard")
                request = Segment(name, referred.image, (sentence,), own)
                yield Instance(
                    request, TrueMasks(referent.mask[None]), "standard", cluster=referred.id
                )

    def _together(self, referred: ReferredImage, seed: int) -> Iterator[Instance]:
        name = f"{self.card.name}-{referred.id}"
        request = Segment(
            name,
            referred.image,
            tuple((one.typed or one.sentences[0]).lower() for one in referred.referents),
            seed_of(seed, name, "official"),
        )
        masks = torch.stack([referent.mask for referent in referred.referents])
        yield Instance(request, TrueMasks(masks), "official", cluster=referred.id)

    def controls(self, instances: Sequence[Instance]) -> Mapping[str, Sequence[Prediction]]:
        """`whole_image` and `centre_box`."""
        return mask_controls(instances)


class NarrativeGrounding(Task):
    """A mask for each phrase of a narrative (Panoptic Narrative Grounding).

    As in F-LMM, every narrative that has a grounded phrase counts, at its image's own size; a
    narrative without one is left out, where F-LMM draws another in its place.
    """

    card = narrative_card(NarrativeSettings())
    data = NarrativeSettings().data
    asks = (SceneSet, NarrativeSource)
    settings = NarrativeSettings

    def __init__(self, settings: NarrativeSettings) -> None:
        self.card = narrative_card(settings)
        self.data = settings.data

    def instances(self, data: Any, limit: int, seed: int) -> Iterator[Sample]:
        """At most `limit` narratives, of files in their order.

        `data` gives narratives itself (`NarrativeSource`), or scenes with their captions.
        """
        source = data if isinstance(data, NarrativeSource) else NarratedScenes(data)
        for narrative in islice(sound(source.narratives(seed), self.card.name, None), limit):
            if isinstance(narrative, Unreadable):
                yield narrative
                continue
            name = f"{self.card.name}-{narrative.id}"
            request = Ground(
                name, narrative.image, narrative.text, narrative.phrases, seed_of(seed, name)
            )
            target = TrueMasks(narrative.masks, narrative.kinds)
            yield Instance(request, target, None, cluster=narrative.id)

    def controls(self, instances: Sequence[Instance]) -> Mapping[str, Sequence[Prediction]]:
        """`whole_image` and `centre_box`."""
        return mask_controls(instances)


def mask_controls(instances: Sequence[Instance]) -> Mapping[str, Sequence[Prediction]]:
    """`whole_image`: every pixel; `centre_box`: the middle half of either side."""
    return {
        "whole_image": [_masks(one, torch.ones(one.request.image.size)) for one in instances],
        "centre_box": [_masks(one, centre_box(*one.request.image.size)) for one in instances],
    }


def centre_box(height: int, width: int) -> Bool[Tensor, "{height} {width}"]:
    """The box whose sides are half the image's, in its middle; never empty.

    >>> centre_box(4, 4).int().tolist()
    [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    mask = torch.zeros(height, width, dtype=torch.bool)
    top, left = height // 4, width // 4
    mask[top : height - top, left : width - left] = True
    return mask


def _masks(instance: Instance, mask: Tensor) -> Masks:
    return Masks(mask.bool().expand(masks_asked(instance.request), -1, -1).clone())
