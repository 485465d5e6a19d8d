"""The mini pack's SAM: a small one of the published classes, taught on glyphs of base-class scenes.

Kirillov et al., "Segment Anything", ICCV 2023, https://arxiv.org/abs/2304.02643: prompts of several
kinds, focal and dice loss at 20 to 1, the best of several masks where a point may mean several
things, and an estimate of each mask's quality. One kind is added to its points and boxes: a coarse
mask, with a box or without, as methods give that sharpen masks with it (F-LMM). Each prompt is
given once, not corrected in rounds, and every image has its true masks, so there is no data engine.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from frostbench.packs.mini.recipes.sam.figures import measure
from frostbench.packs.mini.recipes.sam.prompts import Prompts, Stock
from frostbench.packs.mini.scenes.scenes import Scenes
from frostbench.plugins.backbones.precision import Precision, rounded
from frostbench.plugins.backbones.sam import Sam, save_sam
from frostbench.plugins.backbones.sam_sizes import SamSettings, build_sam
from frostbench.plugins.contract.recipe import Report, Workshop
from frostbench.plugins.host.settings import read_settings
from frostbench.plugins.parts.training import loop as recipe
from frostbench.plugins.parts.training.loop import Stateful, TrainingProgress


@dataclass(frozen=True)
class SamTraining:
    """Sizes and schedule."""

    patch: int = 4  # pixels; masks come out four times as fine
    width: int = 96
    depth: int = 4
    heads: int = 3
    window: int = 8  # cells; every second block sees the whole image
    prompt_width: int = 64
    decoder_heads: int = 4
    decoder_inner: int = 256
    stock: int = 8000  # different scenes
    steps: int = 1200
    minutes: float = 40.0
    images: int = 12  # a step
    rate: float = 1.5e-3  # AdamW's, at its highest
    decay: float = 0.02
    warm_up: float = 0.08  # share of the steps
    focal: float = 20.0  # weight of the focal loss beside dice, as published
    precision: Precision = "byte"  # of the weights, once trained
    log_every: int = 25
    figures_scenes: int = 200  # scenes for each figure


def train(workshop: Workshop) -> Report:
    """Train the model and write it to `pack/sam`."""
    settings = read_settings(SamTraining, workshop.settings, "sam")
    folder, scenes = workshop.pack / "sam", Scenes(workshop.pack / "data")
    sizes = sizes_of(settings, scenes.settings.side)
    torch.manual_seed(workshop.seed)
    model = build_sam(sizes).to(workshop.device)
    stock = Stock(scenes, settings.stock, workshop.seed)
    optimiser = torch.optim.AdamW(groups(model, settings), settings.rate, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.rate, settings.steps, pct_start=settings.warm_up
    )

    def step(index: int) -> dict[str, float]:
        lessons = stock.lessons(index, settings.images)
        pixels = torch.stack([lesson.pixels for lesson in lessons]).to(workshop.device)
        embedded = model.image_encoder(model.preprocess(255 * pixels))
        counted: dict[str, list[Tensor]] = {"focal": [], "dice": [], "quality": []}
        for lesson, embedding in zip(lessons, embedded, strict=True):
            logits, quality = decode(model, embedding, lesson.prompts.to(workshop.device))
            losses = mask_losses(logits, quality, lesson.masks.to(workshop.device))
            for name, loss in losses.items():
                counted[name].append(loss)
        means = {name: torch.cat(parts).mean() for name, parts in counted.items()}
        total = settings.focal * means["focal"] + means["dice"] + means["quality"]
        optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        return {name: mean.item() for name, mean in means.items()}

    def stop(progress: TrainingProgress) -> bool:
        return progress.seconds > 60 * settings.minutes

    parts: dict[str, Stateful] = {"model": model, "optimiser": optimiser, "schedule": schedule}
    often = {"log_every": settings.log_every, "save_every": 4 * settings.log_every}
    progress = recipe.train(workshop, "sam", parts, step, settings.steps, stop=stop, **often)
    rounded(model.cpu(), settings.precision)
    save_sam(folder, model, sizes, settings.precision)
    figures = measure(Sam(model, sizes, "sam"), scenes, settings.figures_scenes)
    workshop.log(f"sam: {json.dumps(figures)}")
    history = tuple(progress.history)
    return Report(progress.step, progress.seconds, figures, history, asdict(settings))


def sizes_of(settings: SamTraining, side: int) -> SamSettings:
    """The network's sizes, for images of this side."""
    return SamSettings(
        image_size=side,
        patch=settings.patch,
        width=settings.width,
        depth=settings.depth,
        heads=settings.heads,
        global_blocks=tuple(range(1, settings.depth, 2)),
        window=settings.window,
        prompt_width=settings.prompt_width,
        mask_channels=16,
        decoder_heads=settings.decoder_heads,
        decoder_inner=settings.decoder_inner,
        quality_width=settings.prompt_width,
    )


def groups(model: nn.Module, settings: SamTraining) -> list[dict[str, Any]]:
    """Matrices, which decay, and the rest, which does not."""
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    rest = [p for p in model.parameters() if p.ndim < 2]
    return [
        {"params": matrices, "weight_decay": settings.decay},
        {"params": rest, "weight_decay": 0.0},
    ]


def decode(
    model: Any, embedding: Float[Tensor, "d side side"], prompts: Prompts
) -> tuple[Float[Tensor, "n masks r c"], Float[Tensor, "n masks"]]:
    """All masks that the decoder offers for prompts about one image, and their estimated quality.

    The first mask is for unambiguous prompts.
    """
    points = None if prompts.points is None else (prompts.points, prompts.labels)
    sparse, dense = model.prompt_encoder(points=points, boxes=prompts.boxes, masks=prompts.masks)
    offered: tuple[Tensor, Tensor] = model.mask_decoder.predict_masks(
        image_embeddings=embedding[None],
        image_pe=model.prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
    )
    return offered


def mask_losses(
    logits: Float[Tensor, "n masks r c"],
    quality: Float[Tensor, "n masks"],
    truth: Bool[Tensor, "n h w"],
) -> dict[str, Float[Tensor, " n"]]:
    """Losses of each prompt: of the first mask and of the best of the others, half each.

    "quality" is the squared error of the estimates of intersection over union.
    """
    whole = functional.interpolate(logits, truth.shape[1:], mode="bilinear", align_corners=False)
    wanted = truth[:, None].float().expand_as(whole)
    focal, dice = focal_loss(whole, wanted), dice_loss(whole, wanted)
    best = (focal + dice)[:, 1:].detach().argmin(1, keepdim=True) + 1
    with torch.no_grad():
        found, there = whole > 0, truth[:, None]
        union = (found | there).sum((2, 3))
        overlap = (found & there).sum((2, 3)) / union.clamp(min=1)
    return {
        "focal": (focal[:, 0] + focal.gather(1, best)[:, 0]) / 2,
        "dice": (dice[:, 0] + dice.gather(1, best)[:, 0]) / 2,
        "quality": (quality - overlap).square().mean(1),
    }


def focal_loss(
    logits: Float[Tensor, "n masks h w"], wanted: Float[Tensor, "n masks h w"]
) -> Float[Tensor, "n masks"]:
    """Lin et al., 2017, https://arxiv.org/abs/1708.02002, with gamma 2 and alpha 0.25."""
    entropy = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    alpha = 0.25 * wanted + 0.75 * (1 - wanted)
    return (alpha * (1 - (-entropy).exp()).square() * entropy).mean((2, 3))


def dice_loss(
    logits: Float[Tensor, "n masks h w"], wanted: Float[Tensor, "n masks h w"]
) -> Float[Tensor, "n masks"]:
    """One minus the Dice coefficient of probabilities, smoothed by 1 above and below."""
    chance = logits.sigmoid()
    both = 2 * (chance * wanted).sum((2, 3))
    return 1 - (both + 1) / (chance.sum((2, 3)) + wanted.sum((2, 3)) + 1)
