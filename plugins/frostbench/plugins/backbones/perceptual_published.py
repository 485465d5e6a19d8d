"""LPIPS on VGG16, as it was published, as the perceptual network of a pack.

Zhang et al., CVPR 2018, https://arxiv.org/abs/1801.03924, version 0.1: the trunk is torchvision's
VGG16, the heads come with the package `lpips`.
"""

from pathlib import Path

import lpips
from torch import Tensor

from frostbench.plugins.backbones import weights
from frostbench.plugins.backbones.perceptual import VGG16, Perceptual
from frostbench.plugins.backbones.published import read_state
from frostbench.plugins.contract.converter import Conversion, Converted

HEADS = Path(lpips.__file__).parent / "weights" / "v0.1" / "vgg.pth"


def convert(conversion: Conversion) -> Converted:
    """Read torchvision's VGG16 (vgg16-397923af.pth); the heads are those of the package `lpips`.

    Weights are stored in half precision, as those of every perceptual network.

    Raises:
        ValueError: it cannot be read, or is another network.
    """
    if conversion.settings:
        raise ValueError("a perceptual network is converted without settings.")
    path = conversion.files["vgg"]
    state = read_state(path, ("state_dict",))
    trunk = {
        name.replace("features.", "stack.", 1): tensor
        for name, tensor in state.items()
        if name.startswith("features.")
    }
    heads = {f"heads.{number}": tensor.flatten() for number, tensor in enumerate(_heads().values())}
    network = Perceptual(VGG16, "lpips-vgg16")
    weights.fill(network, {**trunk, **heads}, str(path))
    network.save(conversion.out, "lpips-vgg16")
    left = tuple(f"{name}: the classifier" for name in state if not name.startswith("features."))
    return Converted({**trunk, **heads}, left, ("Its heads are those of LPIPS 0.1.",))


def _heads() -> dict[str, Tensor]:
    """The weights of each tap's channels, the finest tap first."""
    return dict(sorted(read_state(HEADS, ()).items()))
