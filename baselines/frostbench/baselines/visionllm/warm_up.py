"""The warm-up before the paper's two stages, where there are no pretrained networks.

The paper begins with a trained Deformable DETR. There is none for a pack with its own images, so
two short trainings replace it: of a backbone that names things from its maps, and of a detector
whose image tokens lie near the language model's words for what they show.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from frostbench.baselines.visionllm.matching import corners, overlap
from frostbench.baselines.visionllm.model import VisionLLM
from frostbench.baselines.visionllm.scenes import ScenePool, ShownScene, images_of
from frostbench.baselines.visionllm.settings import VisionLLMSettings
from frostbench.baselines.visionllm.token_loss import (
    TokenLossSettings,
    naming_loss,
    token_losses,
)
from frostbench.baselines.visionllm.tokenizer import MEAN, STD, detr_config
from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.parts.training.schedules import cosine_fall, rise, set_rate


@dataclass(frozen=True)
class WarmUpSettings:
    """How both are trained.

    Attributes:
        backbone_steps: Steps that name things from the backbone's maps; 0 for none.
        backbone_images: Scenes in each.
        backbone_rate: AdamW's highest rate there.
        detector_steps: Steps of the detector; 0 for none.
        detector_images: Scenes in each.
        detector_rate: AdamW's highest rate there.
        backbone_share: The backbone's share of that rate.
        head_share: The same for the projector to the language model's width.
        losses: Weights of the losses of image tokens, boxes included.
        naming: Weight of the names of image tokens.
        sharpness: Factor on cosines to names.
        pull: See `naming_loss`.
        decay: AdamW's weight decay.
        clip: Gradients longer than this, all together, are shortened to it.
    """

    backbone_steps: int = 0
    backbone_images: int = 64
    backbone_rate: float = 4e-3
    detector_steps: int = 0
    detector_images: int = 32
    detector_rate: float = 8e-4
    backbone_share: float = 0.25
    head_share: float = 4.0
    losses: TokenLossSettings = field(default_factory=lambda: TokenLossSettings(box=5.0, giou=2.0))
    naming: float = 1.0
    sharpness: float = 20.0
    pull: float = 8.0
    decay: float = 0.01
    clip: float = 1.0


class BackboneWarmUp(nn.Module):
    """The backbone with batch normalisation, which names things from all three maps."""

    mean: Tensor
    std: Tensor

    def __init__(self, settings: VisionLLMSettings, classes: int) -> None:
        super().__init__()
        from transformers import AutoBackbone

        config = detr_config(settings.backbone, settings.detr)
        self.side = settings.detr.side
        self.network = AutoBackbone.from_config(config.backbone_config)
        self.head = nn.Linear(sum(self.network.channels), classes)
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(STD)[:, None, None], persistent=False)

    def forward(
        self, images: Float[Tensor, "b 3 h w"], masks: Sequence[Bool[Tensor, "_n h w"]]
    ) -> Float[Tensor, "t k"]:
        """Scores of the classes of every thing, from the mean of each map over its mask."""
        size = (self.side, self.side)
        images = functional.interpolate(images, size, mode="bilinear", antialias=True)
        maps = self.network((images - self.mean) / self.std).feature_maps
        owner = torch.tensor([i for i, mask in enumerate(masks) for _ in mask])
        where = torch.cat(list(masks)).float()[:, None]
        pooled = []
        for features in maps:
            weight = functional.adaptive_avg_pool2d(where, features.shape[-2:])
            weight = weight / weight.sum((2, 3), keepdim=True).clamp(min=1e-6)
            pooled.append((features[owner] * weight).sum((2, 3)))
        scores: Tensor = self.head(torch.cat(pooled, 1))
        return scores

    def give(self, model: VisionLLM) -> None:
        """Give this backbone to a model as its start; batch normalisation stays as it is now."""
        state = {
            name: tensor
            for name, tensor in self.network.state_dict().items()
            if not name.endswith("num_batches_tracked")
        }
        model.tokenizer.detr.backbone.model.load_state_dict(state)


class BackboneTraining:
    """One optimiser, and what happens in a step."""

    def __init__(
        self, warm: BackboneWarmUp, names: Sequence[str], pool: ScenePool, settings: WarmUpSettings
    ) -> None:
        self.warm, self.pool, self.settings = warm, pool, settings
        self.rows = {name: row for row, name in enumerate(names)}
        self.optimiser = torch.optim.AdamW(
            warm.parameters(), settings.backbone_rate, weight_decay=settings.decay
        )

    def step(self, index: int) -> Mapping[str, float]:
        """Name everything in some scenes."""
        settings = self.settings
        set_rate(self.optimiser, settings.backbone_rate * _share(index, settings.backbone_steps))
        scenes = self.pool(index, settings.backbone_images)
        device = self.warm.mean.device
        self.warm.train()
        with torch.autocast(device.type, torch.bfloat16):
            scores = self.warm(
                images_of(scenes, device), [scene.masks.to(device) for scene in scenes]
            )
        classes = classes_of(scenes, self.rows).to(device)
        loss = functional.cross_entropy(scores.float(), classes, label_smoothing=0.1)
        _update(self.optimiser, loss, self.warm, settings.clip)
        right = (scores.argmax(1) == classes).float().mean()
        return {"loss": float(loss.detach()), "named": float(right)}


class DetectorTraining:
    """One optimiser, and what happens in a step."""

    def __init__(
        self,
        model: VisionLLM,
        names: Sequence[str],
        words: Float[Tensor, "k w"],
        pool: ScenePool,
        settings: WarmUpSettings,
    ) -> None:
        self.model, self.words, self.pool, self.settings = model, words, pool, settings
        self.rows = {name: row for row, name in enumerate(names)}
        backbone = list(model.tokenizer.detr.backbone.parameters())
        head = list(model.project.parameters())
        own = {id(parameter) for parameter in (*backbone, *head)}
        rest = [p for p in _detector(model) if id(p) not in own]
        rate = settings.detector_rate
        self.optimiser = torch.optim.AdamW(
            [
                {"params": rest, "share": 1.0},
                {"params": head, "share": settings.head_share},
                {"params": backbone, "share": settings.backbone_share},
            ],
            rate,
            weight_decay=settings.decay,
        )

    def step(self, index: int) -> Mapping[str, float]:
        """Find and name everything in some scenes."""
        torch.manual_seed(index)  # dropout draws from the step alone, so that it can be resumed
        settings, model = self.settings, self.model
        rate = settings.detector_rate * _share(index, settings.detector_steps)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["share"]
        scenes = self.pool(index, settings.detector_images)
        device = self.words.device
        model.train()
        with torch.autocast(device.type, torch.bfloat16):
            seen = model.look(model.maps(images_of(scenes, device)))
        boxes = torch.cat([scene.boxes for scene in scenes]).to(device)
        counts = [len(scene.boxes) for scene in scenes]
        terms, pairs = token_losses(seen, boxes, counts, settings.losses)
        classes = classes_of(scenes, self.rows).to(device)
        naming = naming_loss(
            seen.tokens, pairs, classes, self.words, settings.sharpness, settings.pull
        )
        loss = torch.stack([*terms.values(), settings.naming * naming]).sum()
        _update(self.optimiser, loss, model, settings.clip)
        with torch.no_grad():
            own = corners(seen.boxes[-1, pairs.image, pairs.guess].float())
            found = (overlap(own, boxes[pairs.target])[0] >= 0.5).float().mean()
        lost = {name: float(term.detach()) for name, term in terms.items()}
        return {**lost, "naming": float(naming.detach()), "found": float(found)}


def name_vectors(lm: CausalLM, names: Sequence[str], blank: str) -> Float[Tensor, "k w"]:
    """For each name after a `blank`, the embedding of its last token plus the mean of all.

    The last token counts more because a language model looks up what followed a token before: in
    a dictionary the class word follows the name's last token.
    """
    tokens = [lm.embed(lm.encode(blank + name)).float() for name in names]
    return torch.stack([own[-1] + own.mean(0) for own in tokens])


def classes_of(scenes: Sequence[ShownScene], rows: Mapping[str, int]) -> Int[Tensor, " t"]:
    """The row of every thing's name, scene after scene."""
    return torch.tensor([rows[name] for scene in scenes for name in scene.names])


def _detector(model: VisionLLM) -> list[nn.Parameter]:
    """The modules that find image tokens without a text, and project them."""
    tokenizer = model.tokenizer
    parts: list[Any] = [
        tokenizer.detr,
        tokenizer.boxes,
        tokenizer.objectness,
        model.project,
        model.where,
        model.scale,
    ]
    found = {id(p): p for part in parts for p in part.parameters()}
    return list(found.values())


def _update(
    optimiser: torch.optim.Optimizer, loss: Float[Tensor, ""], model: nn.Module, clip: float
) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimiser.step()


def _share(step: int, steps: int) -> float:
    """The share of the highest rate: up over a twentieth of the steps, down along a cosine."""
    warm = max(1, steps // 20)
    return rise(step + 1, warm) * cosine_fall(step, warm, steps, 0.02)
