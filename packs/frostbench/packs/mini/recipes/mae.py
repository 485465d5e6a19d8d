"""The mini pack's masked autoencoder: trained to guess hidden patches, its decoder then tuned.

He et al., "Masked Autoencoders Are Scalable Vision Learners", CVPR 2022,
https://arxiv.org/abs/2111.06377, and the tuning of LM4LV (https://arxiv.org/abs/2405.15734): the
encoder is frozen and shown everything, the decoder learns by absolute error and a perceptual
distance.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from frostbench.plugins.backbones import BackboneEntry, precision
from frostbench.plugins.backbones.mae import MAE, normalised
from frostbench.plugins.backbones.perceptual import Perceptual
from frostbench.plugins.contract.recipe import Report, Workshop
from frostbench.plugins.host.settings import read_settings
from frostbench.plugins.parts.training import loop as recipe
from frostbench.plugins.parts.training.loop import Stateful, TrainingProgress
from frostbench.plugins.parts.training.pool import SEEDS, Pool


@dataclass(frozen=True)
class MAETraining:
    """Sizes and schedules; the published sizes are those of ViT-L/16 (width 1024, 24 layers).

    Attributes:
        start: Folder of a trained network to continue from, in the pack or with its whole path:
            its encoder is kept, and its decoder tuned further; empty trains both stages.
    """

    start: str = ""
    side: int = 64  # pixels
    patch: int = 8
    width: int = 128
    layers: int = 4
    heads: int = 4
    inner: int = 512
    decoder_width: int = 128
    decoder_layers: int = 2
    decoder_heads: int = 4
    decoder_inner: int = 512
    spread: float = 0.08  # standard deviation of initial weights; published: 0.02
    masked: float = 0.75  # share of patches to be guessed, as published
    steps: int = 900
    batch: int = 64
    rate: float = 2e-3  # AdamW's, at its highest
    decay: float = 0.05
    warm_up: float = 0.05  # share of the steps
    tuning_steps: int = 4000  # of the decoder alone, without masking
    tuning_batch: int = 32
    tuning_rate: float = 1.6e-3  # published, there with Adam (0.9, 0.95) and no decay
    perceptual: float = 0.1  # weight beside the absolute error; published: 1, with LPIPS
    bfloat16: bool = False  # matrix products in 16 bits; slower on processors without them
    pool_images: int = 16_384
    validation_batches: int = 8
    log_every: int = 50
    save_every: int = 100


def train(workshop: Workshop) -> Report:
    """Train both stages and write the network to `pack/mae` as a folder of transformers."""
    settings = read_settings(MAETraining, workshop.settings, "mae")
    torch.manual_seed(workshop.seed)
    perceptual = Perceptual.load(workshop.pack / "perceptual").to(workshop.device)
    guessing = TrainingProgress()
    if settings.start:
        entry = BackboneEntry("mae", "mae", str(workshop.pack / settings.start))
        model = MAE.load(entry, workshop.device).model
    else:
        model = build(settings).to(workshop.device)
        guessing = _guess(workshop, settings, model)
        precision.rounded(model)  # the decoder is tuned to the encoder that is kept
    tuning = _tune(workshop, settings, model, perceptual)
    precision.rounded(model)
    save(model, workshop.pack / "mae")
    held_out = Pool(workshop, "validation", settings.batch, settings.validation_batches)
    batches = [held_out(index) for index in range(settings.validation_batches)]
    figures = measure(MAE(model), perceptual, batches)
    workshop.log(f"mae: {json.dumps(figures)}")
    return guessing.then(tuning).report(figures, settings)


def _guess(workshop: Workshop, settings: MAETraining, model: Any) -> TrainingProgress:
    """The first stage: encoder and decoder learn to guess hidden patches."""
    pictures = _pool(workshop, settings.batch, settings)
    model.config.mask_ratio = settings.masked
    patches = (settings.side // settings.patch) ** 2
    course = _Course(model, settings.rate, settings.steps, settings)

    def step(index: int) -> dict[str, float]:
        images = normalised((pictures(index) + 1) / 2)
        draw = torch.Generator().manual_seed(workshop.seed * SEEDS + index)
        noise = torch.rand(len(images), patches, generator=draw).to(images.device)
        with _products(images, settings):
            loss = model(images, noise=noise).loss
        return {"guess": course.step(loss)}

    return _run(workshop, "mae", {"model": model, **course.parts()}, step, settings.steps, settings)


def _tune(
    workshop: Workshop,
    settings: MAETraining,
    model: Any,
    perceptual: Perceptual,
) -> TrainingProgress:
    """The second stage: the decoder alone learns to reconstruct whole images."""
    pictures = _pool(workshop, settings.tuning_batch, settings)
    mae = MAE(model)
    decoder = model.decoder.requires_grad_(True)
    decoder.decoder_pos_embed.requires_grad_(False)
    course = _Course(decoder, settings.tuning_rate, settings.tuning_steps, settings)

    def step(index: int) -> dict[str, float]:
        images = (pictures(index) + 1) / 2
        with _products(images, settings):
            restored = mae.decode(mae.encode(images))
            absolute = (restored - images).abs().mean()
            seen = perceptual.distance(restored, images).mean()
        course.step(absolute + settings.perceptual * seen)
        return {"absolute": absolute.item(), "perceptual": seen.item()}

    parts: dict[str, Stateful] = {"decoder": decoder, **course.parts()}
    progress = _run(workshop, "mae-decoder", parts, step, settings.tuning_steps, settings)
    decoder.requires_grad_(False)
    return progress


def _pool(workshop: Workshop, batch: int, settings: MAETraining) -> Pool:
    return Pool(workshop, "base", batch, max(1, settings.pool_images // batch))


def _products(images: Tensor, settings: MAETraining) -> torch.autocast:
    return torch.autocast(images.device.type, torch.bfloat16, enabled=settings.bfloat16)


class _Course:
    """An optimiser and its schedule: up in the first steps, and down along a cosine."""

    def __init__(self, module: nn.Module, rate: float, steps: int, settings: MAETraining) -> None:
        self._trained = [p for p in module.parameters() if p.requires_grad]
        self._optimiser = torch.optim.AdamW(
            self._trained, rate, betas=(0.9, 0.95), weight_decay=settings.decay
        )
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(
            self._optimiser, rate, steps, pct_start=settings.warm_up, cycle_momentum=False
        )

    def parts(self) -> dict[str, Stateful]:
        """What a checkpoint keeps."""
        return {"optimiser": self._optimiser, "schedule": self._schedule}

    def step(self, loss: Tensor) -> float:
        """Descend along the gradient of a loss; return its value."""
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._trained, 1.0)
        self._optimiser.step()
        self._schedule.step()
        return loss.item()


def _run(
    workshop: Workshop,
    name: str,
    parts: Mapping[str, Stateful],
    step: Callable[[int], Mapping[str, float]],
    steps: int,
    settings: MAETraining,
) -> TrainingProgress:
    return recipe.train(
        workshop,
        name,
        parts,
        step,
        steps,
        log_every=settings.log_every,
        save_every=settings.save_every,
    )


def build(settings: MAETraining) -> Any:
    """A new network of transformers."""
    from transformers import ViTMAEConfig, ViTMAEForPreTraining

    return ViTMAEForPreTraining(
        ViTMAEConfig(
            image_size=settings.side,
            patch_size=settings.patch,
            hidden_size=settings.width,
            num_hidden_layers=settings.layers,
            num_attention_heads=settings.heads,
            intermediate_size=settings.inner,
            decoder_hidden_size=settings.decoder_width,
            decoder_num_hidden_layers=settings.decoder_layers,
            decoder_num_attention_heads=settings.decoder_heads,
            decoder_intermediate_size=settings.decoder_inner,
            mask_ratio=settings.masked,
            norm_pix_loss=False,
            initializer_range=settings.spread,
        )
    )


@torch.no_grad()
def measure(mae: MAE, perceptual: Perceptual, batches: Sequence[Tensor]) -> dict[str, float]:
    """Reconstruction figures of whole images, in [-1, 1], through encoder and decoder."""
    psnr, distance = [], []
    for batch in batches:
        images = (batch + 1) / 2
        restored = mae.decode(mae.encode(images)).clamp(0, 1)
        psnr.append(-10 * (restored - images).square().mean((1, 2, 3)).log10())
        distance.append(perceptual.distance(restored, images))
    return {"PSNR": torch.cat(psnr).mean().item(), "lpips": torch.cat(distance).mean().item()}


def save(model: Any, folder: Path) -> None:
    """Write configuration and, last and atomically, weights with a byte a number."""
    folder.mkdir(parents=True, exist_ok=True)
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(folder)
    precision.write(folder / "model.safetensors", model.state_dict())
