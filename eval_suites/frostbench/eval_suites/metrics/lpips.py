"""LPIPS (Zhang et al., 2018, https://arxiv.org/abs/1801.03924), version 0.1, as published.

The linear heads come with the package `lpips`; the trunk, torchvision's ImageNet network, comes
from a local file.
"""

import warnings
from functools import partial
from pathlib import Path
from typing import Any

import lpips
import torch

from frostbench.eval_suites.metrics.image_pair import image_pair
from frostbench.eval_suites.metrics.weights import read_weights, weight_file
from frostbench.plugins.contract.metric import MetricContext, SampleScore
from frostbench.plugins.contract.predictions import Prediction
from frostbench.plugins.contract.task import Target

TRUNKS = {
    "alex": "torchvision's AlexNet (alexnet-owt-7be5be79.pth)",
    "vgg": "torchvision's VGG16 (vgg16-397923af.pth)",
}
SMALLEST = {"alex": 32, "vgg": 16}
"""Shortest side in pixels that still reaches the last tap of a trunk."""


def lpips_published(
    context: MetricContext, *, trunk: str, protocol: str = "", twice: bool = False
) -> SampleScore:
    """`lpips[alex]` or `lpips[vgg]`: perceptual distance; lower is better, 0 for equal images.

    Images in [0, 1] are mapped to [-1, 1] once. `lpips[alex-v2l]` maps them `twice`, to [-3, 1], as
    V2L-Tokenizer's evaluation does: it is there to stand beside the paper's figures, and is not
    comparable with the others. Images that are too small for the trunk are unscored.

    Raises:
        ValueError: no trunk file is named, it cannot be read, or it is another network's.
    """
    path = weight_file(context, f"lpips[{protocol or trunk}]", trunk, TRUNKS[trunk])
    network, smallest = _network(trunk), SMALLEST[trunk]
    _load_trunk(network.net, trunk, path)

    def distance(prediction: Prediction, target: Target) -> float:
        ours, truth = image_pair(prediction, target)
        if min(truth.shape[1:]) < smallest:
            raise ValueError(
                f"the network needs sides of {smallest} pixels, the shortest of this image has "
                f"{min(truth.shape[1:])}."
            )
        with torch.inference_mode():
            pair = [image.float()[None] for image in (ours, truth)]
            if twice:
                pair = [2 * image - 1 for image in pair]
            return float(network(*pair, normalize=True))

    return distance


lpips_alex = partial(lpips_published, trunk="alex")
lpips_alex_v2l = partial(lpips_published, trunk="alex", protocol="alex-v2l", twice=True)
lpips_vgg = partial(lpips_published, trunk="vgg")


def _load_trunk(net: torch.nn.Module, trunk: str, path: Path) -> None:
    """Put torchvision's `features.N.*` where the package keeps them, `sliceK.N.*`."""
    state = read_weights(f"lpips[{trunk}]", path)
    own = net.state_dict()
    named = {key: f"features.{key.partition('.')[2]}" for key in own}
    missing = sorted(name for name in named.values() if name not in state)
    if missing:
        raise ValueError(
            f"lpips[{trunk}]: {path} lacks {', '.join(missing)}; {TRUNKS[trunk]} is wanted."
        )
    wrong = [name for key, name in named.items() if state[name].shape != own[key].shape]
    if wrong:
        raise ValueError(f"lpips[{trunk}]: {path} has other shapes for {', '.join(sorted(wrong))}.")
    net.load_state_dict({key: state[name] for key, name in named.items()})


def _network(trunk: str) -> Any:
    """The package's network with its own heads and a random trunk: nothing is downloaded."""
    state = torch.random.get_rng_state()
    with warnings.catch_warnings():
        # The package calls torchvision in the old way, with `pretrained=False`.
        for message in (".*'pretrained'.*", "Arguments other than a weight enum"):
            warnings.filterwarnings("ignore", message=message, category=UserWarning)
        network = lpips.LPIPS(net=trunk, version="0.1", pnet_rand=True, verbose=False)
    torch.random.set_rng_state(state)
    return network.requires_grad_(False).eval()
