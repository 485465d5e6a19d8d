"""Masked restoration: grid cells are hidden at random, and there are no examples."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import ClassVar

import torch

from frostbench.eval_suites.restoration.settings import MaskedRestorationSettings, masked_card
from frostbench.plugins.contract.datasets import ImageSet
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.predictions import ImagePrediction, Prediction
from frostbench.plugins.contract.requests import NoContext, Restore
from frostbench.plugins.contract.seeds import seed_of
from frostbench.plugins.contract.task import Instance, Sample, Task, read_or_not
from frostbench.plugins.parts.hiding import hide, random_cells


class MaskedRestoration(Task):
    """Fill in grid cells hidden at random, by a prompt or an adapter, as the method can.

    V2L-Tokenizer (Zhu et al., CVPR 2024) masks 30 % of the tokens of the *clean* image, so that
    the visible tokens come from an encoder that has seen what is hidden. Here the pixels are hidden
    before a method sees the image, so that no token depends on them.
    """

    card = masked_card(MaskedRestorationSettings())
    data = MaskedRestorationSettings().data
    settings: ClassVar[type[MaskedRestorationSettings]] = MaskedRestorationSettings
    asks = (ImageSet,)

    def __init__(self, settings: MaskedRestorationSettings) -> None:
        self._settings = settings
        self.card = masked_card(settings)
        self.data = settings.data

    def instances(self, data: ImageSet, limit: int, seed: int) -> Iterator[Sample]:
        """At most `limit` images; which cells are hidden is drawn from (seed, number)."""
        for index in range(limit if data.size is None else min(limit, data.size)):
            name = f"{self.card.name}-{index:05d}"
            yield read_or_not(name, None, partial(self._instance, data, seed, index, name))

    def _instance(self, data: ImageSet, seed: int, index: int, name: str) -> Instance:
        clean = data.get(seed, index)
        own = seed_of(seed, self.card.name, index)
        height, width = clean.image.size
        hidden = random_cells(height, width, self._settings.cell, self._settings.share, own)
        shown = Image(hide(clean.image.pixels, hidden), f"{clean.image.name} with hidden cells")
        request = Restore(
            id=name,
            image=shown,
            corruption="masked",
            context=NoContext(),
            hidden=hidden,
            seed=own,
        )
        return Instance(request, clean.image, None, clean.cluster)

    def controls(self, instances: Sequence[Instance]) -> Mapping[str, Sequence[Prediction]]:
        """`copy`: the image as it came; `mean_fill`: hidden pixels in the visible mean colour."""
        return {
            "copy": [ImagePrediction(instance.request.image.pixels) for instance in instances],
            "mean_fill": [_mean_fill(instance) for instance in instances],
        }


def _mean_fill(instance: Instance) -> ImagePrediction:
    request = instance.request
    assert isinstance(request, Restore)
    assert request.hidden is not None
    pixels, hidden = request.image.pixels, request.hidden
    colour = pixels[:, ~hidden].mean(1)
    return ImagePrediction(torch.where(hidden, colour[:, None, None], pixels))
