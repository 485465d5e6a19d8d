"""LPIPS (Zhang et al., 2018, https://arxiv.org/abs/1801.03924), version 0.1, as published.

The linear heads come with the package `lpips`; the trunk, torchvision's ImageNet network, comes
from a local file.
"""

import warnings
from pathlib import Path
from typing import Any

import lpips
import torch

from frostbench.eval_suites.metrics.image_pair import image_pair
from frostbench.eval_suites.metrics.weights import read_weights, weight_file
from frostbench.plugins.backbones import weights
from frostbench.plugins.contract.metric import MetricContext
from frostbench.plugins.contract.predictions import Prediction
from frostbench.plugins.contract.task import Target

TRUNKS = {
    "alex": "torchvision's AlexNet (alexnet-owt-7be5be79.pth)",
    "vgg": "torchvision's VGG16 (vgg16-397923af.pth)",
}
SMALLEST = {"alex": 32, "vgg": 16}
"""Shortest side in pixels that still reaches the last tap of a trunk."""


class LpipsPublished:
    """`lpips[alex]` or `lpips[vgg]`: perceptual distance; lower is better, 0 for equal images.

    Images in [0, 1] are mapped to [-1, 1] once. (V2L's published evaluation maps them twice;
    its values are not comparable.) `identity` is the SHA-256 of the trunk's file and of the heads'.

    Raises:
        ValueError: no trunk file is named, it cannot be read, or it is another network's.
    """

    def __init__(self, context: MetricContext, trunk: str) -> None:
        self.id = f"lpips[{trunk}]"
        self.higher_is_better = False
        self.unit = ""
        self.lower: float | None = 0.0
        self.upper: float | None = None
        self._smallest = SMALLEST[trunk]
        path = weight_file(context, self.id, trunk, TRUNKS[trunk])
        heads = Path(lpips.__file__).parent / "weights" / "v0.1" / f"{trunk}.pth"
        self._network = _network(trunk)
        self._load_trunk(path)
        self.identity = f"{weights.digest(path)}+{weights.digest(heads)}"

    def __call__(self, prediction: Prediction, target: Target) -> float:
        """The distance of one sample.

        Raises:
            ValueError: the images cannot be compared (see `picture_pair`), or are too small.
        """
        ours, truth = image_pair(self.id, prediction, target)
        if min(truth.shape[1:]) < self._smallest:
            raise ValueError(
                f"{self.id}: the network needs sides of {self._smallest} pixels, the shortest of "
                f"this image has {min(truth.shape[1:])}."
            )
        with torch.inference_mode():
            return float(self._network(ours.float()[None], truth.float()[None], normalize=True))

    def _load_trunk(self, path: Path) -> None:
        """Put torchvision's `features.N.*` where the package keeps them, `sliceK.N.*`."""
        state = read_weights(self.id, path)
        own = self._network.net.state_dict()
        named = {key: f"features.{key.partition('.')[2]}" for key in own}
        missing = sorted(name for name in named.values() if name not in state)
        if missing:
            raise ValueError(
                f"{self.id}: {path} lacks {', '.join(missing)}; {TRUNKS[self.id[6:-1]]} is wanted."
            )
        wrong = [name for key, name in named.items() if state[name].shape != own[key].shape]
        if wrong:
            raise ValueError(f"{self.id}: {path} has other shapes for {', '.join(sorted(wrong))}.")
        self._network.net.load_state_dict({key: state[name] for key, name in named.items()})


def lpips_alex(context: MetricContext) -> LpipsPublished:
    """`lpips[alex]`, from the file `metric_weights.alex`."""
    return LpipsPublished(context, "alex")


def lpips_vgg(context: MetricContext) -> LpipsPublished:
    """`lpips[vgg]`, from the file `metric_weights.vgg`."""
    return LpipsPublished(context, "vgg")


def _network(trunk: str) -> Any:
    """The package's network with its own heads and a random trunk: nothing is downloaded."""
    state = torch.random.get_rng_state()
    with warnings.catch_warnings():
        # The package asks torchvision in the old way, `pretrained=False`.
        for message in (".*'pretrained'.*", "Arguments other than a weight enum"):
            warnings.filterwarnings("ignore", message=message, category=UserWarning)
        network = lpips.LPIPS(net=trunk, version="0.1", pnet_rand=True, verbose=False)
    torch.random.set_rng_state(state)
    return network.requires_grad_(False).eval()
