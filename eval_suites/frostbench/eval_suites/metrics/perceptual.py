"""Perceptual metrics with the pack's own network, whose name is part of their ids."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from frostbench.eval_suites.metrics.image_pair import image_pair
from frostbench.plugins.backbones.perceptual import Perceptual
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.metric import ImageFeatures, MetricContext, SampleScore
from frostbench.plugins.contract.predictions import Prediction
from frostbench.plugins.contract.task import Target
from frostbench.plugins.contract.validity import check_image


def lpips_mini(context: MetricContext) -> SampleScore:
    """`lpips[mini]`: distance of features of the pack's perceptual network; lower is better.

    Computed as LPIPS is, but not calibrated on human judgements: comparable between methods on
    one pack, and never with `lpips[alex]`.

    Raises:
        LookupError: the pack has no backbone of the role "perceptual".
    """
    network: Perceptual = context.backbones.get("perceptual")

    def distance(prediction: Prediction, target: Target) -> float:
        pair = torch.stack(image_pair(prediction, target))
        ours, truth = pair.to(_device(network), torch.float32).chunk(2)
        with torch.inference_mode():
            return float(network.distance(ours, truth))

    return distance


def fid_mini(context: MetricContext) -> ImageFeatures:
    """`fid[mini]`: features of the pack's perceptual network; lower distances are better.

    Compare at equal n only: the distance of few samples is biased upwards.

    Raises:
        LookupError: the pack has no backbone of the role "perceptual".
    """
    network: Perceptual = context.backbones.get("perceptual")

    def features(images: Sequence[Image]) -> npt.NDArray[np.float32]:
        rows = []
        for image in images:
            check_image(image.pixels)
            with torch.inference_mode():
                pixels = image.pixels.to(_device(network), torch.float32)
                rows.append(network.features(pixels[None]).cpu().float())
        return torch.cat(rows).numpy()

    return features


def _device(network: Perceptual) -> torch.device:
    return network.mean.device
