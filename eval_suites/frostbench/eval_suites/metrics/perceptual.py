"""Perceptual metrics with the pack's own network, which is in their names."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from frostbench.eval_suites.metrics.frechet import frechet_distance
from frostbench.eval_suites.metrics.image_pair import check_pixels, image_pair
from frostbench.plugins.backbones.perceptual import Perceptual
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.metric import MetricContext
from frostbench.plugins.contract.predictions import Prediction
from frostbench.plugins.contract.task import Target


class _OfPack:
    """What a distance by the pack's network is, whichever it is."""

    higher_is_better = False
    unit = ""
    lower: float | None = 0.0
    upper: float | None = None

    def __init__(self, context: MetricContext) -> None:
        self._network: Perceptual = context.backbones.get("perceptual")
        self.identity: str = self._network.identity


class LpipsMini(_OfPack):
    """`lpips[mini]`: distance of features of the pack's perceptual network; lower is better.

    Computed as LPIPS is, but not calibrated on human judgements: comparable between methods on
    one pack, and never with `lpips[alex]`. `identity` names the network and its weights.

    Raises:
        LookupError: the pack has no backbone of the role "perceptual".
    """

    id = "lpips[mini]"

    def __call__(self, prediction: Prediction, target: Target) -> float:
        """The distance of one sample.

        Raises:
            ValueError: the images cannot be compared; see `picture_pair`.
        """
        pair = torch.stack(image_pair(self.id, prediction, target))
        ours, truth = pair.to(_device(self._network), torch.float32).chunk(2)
        with torch.inference_mode():
            return float(self._network.distance(ours, truth))


class FidMini(_OfPack):
    """`fid[mini]`: Fréchet distance of features of the pack's perceptual network.

    Lower is better. `identity` names the network and its weights. Compare at equal n only; see
    `frechet_distance`.

    Raises:
        LookupError: the pack has no backbone of the role "perceptual".
    """

    id = "fid[mini]"

    def features(self, images: Sequence[Image]) -> npt.NDArray[np.float32]:
        """Features `[n, d]`.

        Raises:
            ValueError: an image holds NaN or values outside [0, 1].
        """
        rows = []
        for image in images:
            check_pixels(self.id, image.pixels)
            with torch.inference_mode():
                pixels = image.pixels.to(_device(self._network), torch.float32)
                rows.append(self._network.features(pixels[None]).cpu().float())
        return torch.cat(rows).numpy()

    def __call__(
        self,
        predictions: npt.NDArray[np.floating[Any]],
        targets: npt.NDArray[np.floating[Any]],
    ) -> float:
        """The distance of two sets of features; see `frechet_distance`."""
        return frechet_distance(predictions, targets)


def _device(network: Perceptual) -> torch.device:
    return network.mean.device
