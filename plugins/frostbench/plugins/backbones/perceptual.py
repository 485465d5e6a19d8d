"""A perceptual distance: how far two images are apart in the features of a small VGG.

Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018,
https://arxiv.org/abs/1801.03924 (LPIPS). At every tap, features are scaled to unit length at each
position; squared differences are weighed by channel, averaged over positions, summed over taps.
Layers are numbered as torchvision's are, so that the `features` of its VGG16 fit `stack`.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from frostbench.plugins.backbones import weights
from frostbench.plugins.host.settings import read_settings
from frostbench.plugins.host.texts import read_json, taken


@dataclass(frozen=True)
class PerceptualSettings:
    """Sizes of the stack, and the mean and deviation by which images are normalised.

    `blocks` holds the widths of the 3x3 convolutions, block by block; 2x2 max-pooling separates
    blocks, and the last activation of each is a tap. `floor` is added, squared, to the squared
    length of a feature: it keeps the gradient finite where nothing responds.
    """

    blocks: tuple[tuple[int, ...], ...]
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)  # ImageNet's
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    floor: float = 1e-10  # LPIPS's


VGG16 = PerceptualSettings(((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3))
MINI = PerceptualSettings(
    ((32,), (64,), (128,), (128,)), mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25), floor=1e-2
)


class Perceptual(nn.Module):
    """Distances and embeddings of images with pixels in [0, 1].

    `identity` names the network in the ids of metrics and in manifests: its name, and once loaded
    the beginning of its weights' SHA-256.
    """

    def __init__(self, settings: PerceptualSettings, name: str) -> None:
        super().__init__()
        self.settings = settings
        self.identity = name
        self.stack = nn.Sequential(*_layers(settings.blocks))
        # LPIPS learns these from human judgements; uniform ones make the mean over taps.
        self.heads = nn.ParameterList(
            nn.Parameter(torch.full((block[-1],), 1 / len(settings.blocks)))
            for block in settings.blocks
        )
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(settings.mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(settings.std)[:, None, None], persistent=False)

    @classmethod
    def load(cls, folder: Path) -> "Perceptual":
        """The frozen network in `folder`, as `save` wrote it.

        Raises:
            ValueError: a file is missing, cut short, or does not fit the other.
        """
        path = folder / "settings.json"
        if not path.is_file():
            raise ValueError(f"no perceptual network in {folder}: it lacks settings.json.")
        described = read_json(path)
        name = taken(str(path), described, "name", str)
        del described["name"]
        network = cls(read_settings(PerceptualSettings, described, str(path)), name)
        file = folder / "model.safetensors"
        weights.fill(network, weights.read(file), str(file))
        network.identity = f"{name}-{weights.digest(file)[:8]}"
        return network.eval().requires_grad_(False)

    def save(self, folder: Path, name: str) -> None:
        """Write `settings.json` and `model.safetensors`, in half precision."""
        halves = {key: tensor.half() for key, tensor in self.state_dict().items()}
        weights.write(folder / "model.safetensors", halves)
        described = json.dumps({"name": name, **asdict(self.settings)}, indent=1)
        (folder / "settings.json").write_text(described + "\n", encoding="utf-8")

    def distance(
        self, a: Float[Tensor, "b 3 h w"], b: Float[Tensor, "b 3 h w"]
    ) -> Float[Tensor, " b"]:
        """How different each pair of images looks; lower is nearer.

        0 for equal images; at most 2 with uniform heads.
        """
        taps = self.taps(torch.cat([a, b]))
        total = a.new_zeros(len(a))
        for tap, head in zip(taps, self.heads, strict=True):
            length = (tap.square().sum(1, keepdim=True) + self.settings.floor**2).sqrt()
            first, second = (tap / length).chunk(2)
            squares = (first - second).square()
            total = total + torch.einsum("bchw,c->bhw", squares, head).mean((1, 2))
        return total

    def features(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """The last tap averaged over positions: an embedding for a Fréchet distance."""
        return self.taps(images)[-1].mean((2, 3))

    def taps(self, images: Float[Tensor, "b 3 h w"]) -> list[Float[Tensor, "b _c _h _w"]]:
        """The last activation of each block, the finest first."""
        hidden = (images - self.mean) / self.std
        taps = []
        for layer in self.stack:
            if isinstance(layer, nn.MaxPool2d):
                taps.append(hidden)
            pooled_by_hand = isinstance(layer, nn.MaxPool2d) and not hidden.requires_grad
            hidden = _halved(hidden) if pooled_by_hand else layer(hidden)
        return [*taps, hidden]


def _halved(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c _h _w"]:
    """The values of 2x2 max-pooling, which torch computes on a CPU one after the other.

    Not for gradients: pooling gives it to one of equal values, this function to all of them.
    """
    height, width = x.shape[2] // 2 * 2, x.shape[3] // 2 * 2
    rows = torch.maximum(x[:, :, 0:height:2], x[:, :, 1:height:2])
    return torch.maximum(rows[..., 0:width:2], rows[..., 1:width:2])


def _layers(blocks: tuple[tuple[int, ...], ...]) -> Iterator[nn.Module]:
    """Convolutions with ReLU, and pooling between blocks."""
    last = 3
    for index, widths in enumerate(blocks):
        if index:
            yield nn.MaxPool2d(2)
        for width in widths:
            yield nn.Conv2d(last, width, 3, padding=1)
            yield nn.ReLU()
            last = width
