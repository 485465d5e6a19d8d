"""One training step of LQAE: pixel, commitment and masked-word losses."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from frostbench.baselines.lqae.channel import Channel
from frostbench.baselines.lqae.lesson import ClusterLesson, prepare
from frostbench.baselines.lqae.model import LQAE
from frostbench.plugins.parts.autoencoder.reconstruction import psnr
from frostbench.plugins.parts.autoencoder.training import perplexity
from frostbench.plugins.parts.training.loop import Stateful
from frostbench.plugins.parts.training.schedules import cosine_fall, rise, set_rate

EPOCH = 2502  # steps: ImageNet in batches of 512
ROUNDS = 5  # of k-means
LESSON_IMAGES = 512
SHARPNESS = 20.0  # of cosines as logits


@dataclass(frozen=True)
class LQAETrainingSettings:
    """How encoder and decoder are trained; the defaults are the published run's.

    Attributes:
        steps: 100 epochs.
        batch: Images in a step.
        rate: The highest learning rate, after `warmup_steps` from 0; it falls along half a cosine
            to 0.
        warmup_steps: 5 epochs.
        betas: AdamW's.
        decay: AdamW's weight decay, of every tensor: the published code defines a mask for norms
            and biases and never passes it.
        mask_ratio: The lowest and highest share of masked codes, drawn for each code.
        commitment: Weight of the squares between features and their codes' embeddings. The
            published code adds a term of weight 0.005 twice.
        guess_weight: Weight of the language model's loss on masked codes.
        mask_steps: Steps between which the ratios rise from 0. Published: none, they start in full.
        lesson_steps: Steps for which cells take the codes of a `ClusterLesson` instead of
            the nearest. Published: 0.
        lesson_weight: In these steps, weight of the cross-entropy that makes a cell's code the
            nearest.
        lesson_clusters: Codes that are assigned.
        bfloat16: Compute in that type where it is safe. Published: single precision.
    """

    steps: int = 100 * EPOCH
    batch: int = 512
    rate: float = 3e-4
    warmup_steps: int = 5 * EPOCH
    betas: tuple[float, float] = (0.9, 0.95)
    decay: float = 5e-4
    mask_ratio: tuple[float, float] = (0.5, 0.5)
    commitment: float = 0.01
    guess_weight: float = 1e-4
    mask_steps: tuple[int, int] = (0, 0)
    lesson_steps: int = 0
    lesson_weight: float = 0.1
    lesson_clusters: int = 512
    bfloat16: bool = False

    def rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        up = rise(step, self.warmup_steps)
        return self.rate * up * cosine_fall(step, self.warmup_steps, self.steps)

    def ratio_at(self, step: int) -> tuple[float, float]:
        """The mask ratios of a step, counted from 0."""
        first, last = self.mask_steps
        part = 1.0 if step >= last else max(0.0, (step - first) / (last - first))
        return self.mask_ratio[0] * part, self.mask_ratio[1] * part


class LQAETraining:
    """The optimiser, and what happens in a step.

    `batches(step)` gives a step's batch in [-1, 1], the same for the same step.
    """

    def __init__(
        self,
        model: LQAE,
        channel: Channel,
        batches: Callable[[int], Tensor],
        settings: LQAETrainingSettings,
        seed: int,
    ) -> None:
        self.model, self.channel, self.batches = model, channel, batches
        self.settings, self._seed = settings, seed
        self._lesson: ClusterLesson | None = None
        self.optimiser = torch.optim.AdamW(
            model.parameters(), settings.rate, betas=settings.betas, weight_decay=settings.decay
        )

    def parts(self) -> Mapping[str, Stateful]:
        """Everything that a resumed training needs."""
        return {"model": self.model, "optimiser": self.optimiser}

    def step(self, index: int) -> Mapping[str, float]:
        """Train on one batch."""
        settings = self.settings
        torch.manual_seed(self._seed * settings.steps + index)  # seeds the masks, resumed or not
        set_rate(self.optimiser, settings.rate_at(index))
        images = self.batches(index)
        taught = None
        if index < settings.lesson_steps:
            taught = self.lesson()(images)
        self.model.train()
        with torch.autocast(images.device.type, torch.bfloat16, enabled=settings.bfloat16):
            result = self.model((images + 1) / 2, self.channel, settings.ratio_at(index), taught)
        pixel = (result.images - (images + 1) / 2).square().mean()
        # The published objective: no perceptual term, no adversary, no codes that bypass the
        # channel.
        loss = pixel + settings.commitment * result.commitment + settings.guess_weight * result.loss
        values = {}
        if taught is not None:
            cosines = self.channel.cosines(result.features).flatten(0, -2)
            learned = cosines.argmax(1) == taught.flatten()
            values["learned"] = float(learned.float().mean())
            lesson = functional.cross_entropy(SHARPNESS * cosines, taught.flatten())
            values["lesson"] = float(lesson.detach())
            loss = loss + settings.lesson_weight * lesson
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        return {
            "loss": float(loss.detach()),
            "psnr": float(psnr(images, result.images.detach() * 2 - 1).mean()),
            "pixel": float(pixel.detach()),
            "commitment": float(result.commitment.detach()),
            "guess": float(result.loss.detach()),
            "perplexity": perplexity(result.ids),
            "rate": settings.rate_at(index),
            **values,
        }

    def lesson(self) -> ClusterLesson:
        """The lesson, from the first images; the same after a resumption."""
        if self._lesson is None:
            settings = self.settings
            count = -(-LESSON_IMAGES // settings.batch)
            self._lesson = prepare(
                torch.cat([self.batches(i) for i in range(count)]),
                self.model.settings.network.patch,
                self.channel.rows,
                settings.lesson_clusters,
                rounds=ROUNDS,
                seed=self._seed,
            )
        return self._lesson


@torch.no_grad()
def guessing(
    model: LQAE,
    channel: Channel,
    batches: list[Float[Tensor, "b 3 h w"]],
    ratio: tuple[float, float],
) -> dict[str, float]:
    """How well the language model guesses masked codes of images in [-1, 1]."""
    model.eval()
    torch.manual_seed(0)
    passes = [model((images + 1) / 2, channel, ratio) for images in batches]
    return {
        "guess_loss": float(torch.stack([result.loss for result in passes]).mean()),
        "guess_accuracy": float(torch.stack([result.right for result in passes]).mean()),
        "psnr_masked": float(
            torch.cat(
                [
                    psnr(images, result.images * 2 - 1)
                    for images, result in zip(batches, passes, strict=True)
                ]
            ).mean()
        ),
    }
