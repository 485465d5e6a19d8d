"""The mini pack's perceptual network: a small VGG that names the base glyphs.

It is trained with batch normalisation, which is folded into the convolutions at the end, so that
what is kept is a plain stack of convolutions as in VGG.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from torchvision.transforms.functional import gaussian_blur

from frostbench.packs.mini.scenes.glyphs import Split
from frostbench.packs.mini.scenes.scenes import Scenes
from frostbench.packs.mini.scenes.training_images import MiniImages
from frostbench.plugins.backbones.perceptual import MINI, Perceptual
from frostbench.plugins.contract.recipe import Report, Workshop
from frostbench.plugins.host.settings import read_settings
from frostbench.plugins.parts.training import loop as recipe
from frostbench.plugins.parts.training.ahead import Ahead
from frostbench.plugins.parts.training.loop import Stateful

BLURS = (0.5, 1.0, 2.0, 4.0)  # standard deviations in pixels
NOISES = (0.02, 0.05, 0.1, 0.2)  # standard deviations, pixels in [0, 1]


@dataclass(frozen=True)
class PerceptualTraining:
    """How the network is trained."""

    steps: int = 1100
    batch: int = 96
    rate: float = 4e-3  # AdamW's, at its highest
    decay: float = 0.05
    smoothing: float = 0.1
    scenes: float = 0.3  # share of images that are scenes of one glyph; the rest are portraits
    noise: float = 0.1  # highest standard deviation of noise on every other training image
    validation: int = 1708  # images; two of each base class
    copies: int = 64  # images whose distances from blurred and noisy copies are measured


class Classifier(nn.Module):
    """The stack with batch normalisation after each convolution, and one linear layer."""

    def __init__(self, network: Perceptual, classes: int) -> None:
        super().__init__()
        self.network = network
        self.norms = nn.ModuleDict(
            {
                str(index): nn.BatchNorm2d(layer.out_channels)
                for index, layer in enumerate(network.stack)
                if isinstance(layer, nn.Conv2d)
            }
        )
        width = network.settings.blocks[-1][-1]
        self.head = nn.Linear(width, classes)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b classes"]:
        """Scores of the classes."""
        hidden = (images - self.network.mean) / self.network.std
        for index, layer in enumerate(self.network.stack):
            hidden = layer(hidden)
            if isinstance(layer, nn.Conv2d):
                hidden = self.norms[str(index)](hidden)
        scores: Tensor = self.head(hidden.mean((2, 3)))
        return scores

    @torch.no_grad()
    def fold(self) -> Perceptual:
        """An equal network without batch normalisation."""
        folded = Perceptual(self.network.settings, self.network.identity)
        folded.load_state_dict(self.network.state_dict())
        for index, norm in self.norms.items():
            layer = folded.stack[int(index)]
            assert isinstance(layer, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            assert layer.bias is not None
            assert norm.running_mean is not None
            assert norm.running_var is not None
            gain = norm.weight / (norm.running_var + norm.eps).sqrt()
            layer.weight.mul_(gain[:, None, None, None])
            layer.bias.copy_((layer.bias - norm.running_mean) * gain + norm.bias)
        return folded.eval().requires_grad_(False)


def train(workshop: Workshop) -> Report:
    """Train the network and write it to `pack/perceptual`."""
    settings = read_settings(PerceptualTraining, workshop.settings, "perceptual")
    scenes = Scenes(workshop.pack / "data")
    names = scenes.glyphs.names("base")
    torch.manual_seed(workshop.seed)
    device = torch.device(workshop.device)
    model = Classifier(Perceptual(MINI, "mini"), len(names)).to(device)
    model = model.to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(model.parameters(), settings.rate, weight_decay=settings.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.rate, settings.steps)

    def drawn(index: int) -> tuple[Float[Tensor, "b 3 h w"], Int[Tensor, " b"]]:
        return labelled(scenes, names, settings.batch, [workshop.seed, index], settings)

    coming = Ahead(drawn, workshop.workers, settings.steps)

    def step(index: int) -> dict[str, float]:
        images, labels = coming(index)
        generator = torch.Generator().manual_seed(index)
        strength = (torch.rand(len(images), generator=generator) * 2 - 1).clamp(min=0)
        noise = torch.randn(images.shape, generator=generator)
        images = images + settings.noise * strength[:, None, None, None] * noise
        with torch.autocast(device.type, torch.bfloat16):
            scores = model(images.to(device, memory_format=torch.channels_last))
            loss = functional.cross_entropy(
                scores, labels.to(device), label_smoothing=settings.smoothing
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        right = (scores.argmax(1).cpu() == labels).float().mean()
        return {"loss": float(loss.detach()), "accuracy": float(right)}

    parts: dict[str, Stateful] = {"model": model, "optimiser": optimiser, "schedule": schedule}
    progress = recipe.train(workshop, "perceptual", parts, step, settings.steps)
    model.eval()
    accuracy = _accuracy(model, scenes, names, settings)
    folder = workshop.pack / "perceptual"
    model.cpu().fold().save(folder, "mini")
    network = Perceptual.load(folder)
    figures = {
        "validation accuracy": accuracy,
        **sanity(network, workshop.pack / "data", settings.copies),
    }
    for name, value in figures.items():
        workshop.log(f"perceptual: {name} {value:.4g}")
    history = tuple(progress.history)
    kept = {**asdict(settings), **asdict(MINI)}
    return Report(progress.step, progress.seconds, figures, history, kept)


def labelled(
    scenes: Scenes, names: Sequence[str], count: int, seed: Sequence[int], how: PerceptualTraining
) -> tuple[Float[Tensor, "b 3 h w"], Int[Tensor, " b"]]:
    """Images of one glyph each, and the index of its name in `names`."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(len(names), size=count)
    kinds, seeds = draw.random(count) < how.scenes, draw.integers(2**31, size=count)
    pictures = [
        scenes.single(names[label], int(number))
        if kind
        else scenes.portrait(names[label], int(number))
        for label, kind, number in zip(labels, kinds, seeds, strict=True)
    ]
    images = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
    return images, torch.from_numpy(labels)


def sanity(
    network: Perceptual, data: Path, count: int, split: Split = "validation"
) -> dict[str, float]:
    """Mean distance of `count` images from their blurred and noisy copies, by strength."""
    images = MiniImages(data).batch(split, count, 0)
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    figures = {}
    with torch.no_grad():
        for sigma in BLURS:
            blurred = gaussian_blur(images, [4 * int(np.ceil(sigma)) + 1] * 2, [sigma] * 2)
            figures[f"blur {sigma:g}"] = float(network.distance(images, blurred).mean())
        for strength in NOISES:
            noisy = (images + strength * noise).clamp(0, 1)
            figures[f"noise {strength:g}"] = float(network.distance(images, noisy).mean())
        figures["another picture"] = float(network.distance(images, images.roll(1, 0)).mean())
    return figures


@torch.no_grad()
def _accuracy(
    model: Classifier, scenes: Scenes, names: Sequence[str], settings: PerceptualTraining
) -> float:
    """Share of held-out renderings of base classes that are named right."""
    right = 0
    device = next(model.parameters()).device
    for start in range(0, settings.validation, settings.batch):
        count = min(settings.batch, settings.validation - start)
        # Training seeds have two numbers, these have three.
        images, labels = labelled(scenes, names, count, [0, start, 1], settings)
        right += int((model(images.to(device)).argmax(1).cpu() == labels).sum())
    return right / settings.validation
