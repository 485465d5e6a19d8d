"""Adversarial training of an autoencoder with a codebook, step by step."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from frostbench.plugins.backbones.perceptual import Perceptual
from frostbench.plugins.contract.recipe import Workshop
from frostbench.plugins.parts.autoencoder.average import Average
from frostbench.plugins.parts.autoencoder.discriminator import Discriminator
from frostbench.plugins.parts.autoencoder.initial import pass_through
from frostbench.plugins.parts.autoencoder.losses import (
    GeneratorLoss,
    LeCam,
    LossSettings,
    PerceptualDistance,
    discriminator_loss,
    generator_loss,
)
from frostbench.plugins.parts.autoencoder.reconstruction import AutoencoderOutput, psnr
from frostbench.plugins.parts.autoencoder.settings import DiscriminatorSettings
from frostbench.plugins.parts.training.loop import Stateful
from frostbench.plugins.parts.training.processes import Descent, Processes
from frostbench.plugins.parts.training.schedules import cosine_fall, rise, set_rate

AutoencoderForward: TypeAlias = Callable[[Tensor, float | None], AutoencoderOutput]
"""One pass over images in [-1, 1]; features are quantized, or get noise of this deviation."""


@dataclass(frozen=True)
class AdversarialTrainingSettings:
    """How an autoencoder is trained.

    `rate` is reached after `warmup_steps` and then falls along half a cosine to 0, or stays where
    `cosine` is off. `average` is the decay of a running mean of the weights, which is what is kept
    at the end; 0 keeps the last weights.

    The other settings are for short trainings, and no part of the published ones: `pass_through`
    begins with other weights than torch's (see there); for `noisy_steps` the features get noise of
    deviation `noise` instead of being quantized, and `power_weight` holds their squares down;
    before each of `fit_steps` the codebook is fitted to the features of the next `fit_batches`
    batches, so that no code lies far from all features. `bfloat16` computes in that type where it
    is safe.
    """

    steps: int
    batch: int
    rate: float
    warmup_steps: int = 0
    cosine: bool = False
    betas: tuple[float, float] = (0.5, 0.9)
    epsilon: float = 1e-8
    average: float = 0.0
    loss: LossSettings = field(default_factory=LossSettings)
    discriminator: DiscriminatorSettings = field(default_factory=DiscriminatorSettings)
    pass_through: bool = False
    noisy_steps: int = 0
    noise: float = 1.0
    power_weight: float = 0.0
    fit_steps: tuple[int, ...] = ()
    fit_batches: int = 24
    bfloat16: bool = False

    def rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        share = rise(step + 1, self.warmup_steps)
        if self.cosine:
            share *= cosine_fall(step, self.warmup_steps, self.steps)
        return self.rate * share


class AdversarialTraining:
    """The two optimisers, and what happens in a step.

    All parameters of `model` that ask for gradients are trained; the adversary is balanced at
    `last_layer`. `batches(step)` gives a step's batch in [-1, 1], the same for the same step;
    `fit(features)` sets the codebook to features, where the settings ask for it.
    """

    def __init__(
        self,
        model: nn.Module,
        forward: AutoencoderForward,
        batches: Callable[[int], Tensor],
        settings: AdversarialTrainingSettings,
        processes: Processes,
        *,
        last_layer: Tensor,
        features: Callable[[Tensor], Tensor],
        fit: Callable[[Tensor], None],
        perceptual: PerceptualDistance | None = None,
    ) -> None:
        self.model, self.forward, self.batches = model, forward, batches
        self.processes = processes
        self.settings, self.perceptual = settings, perceptual
        self.noisy_loss = replace(settings.loss, codebook_weight=settings.power_weight)
        self.last_layer, self.features, self.fit = last_layer, features, fit
        self.discriminator = Discriminator(settings.discriminator).train()
        device = last_layer.device
        if device.type != "cpu":
            self.discriminator.to(device)
        if settings.pass_through:
            pass_through(model, last_layer)
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.generator_steps = self._optimiser(trained)
        self.discriminator_steps = self._optimiser(self.discriminator.parameters())
        lecam = settings.loss.lecam_weight > 0
        self.lecam = LeCam(mean=processes.mean).to(device) if lecam else None
        self.average = Average(model, settings.average) if settings.average > 0 else None
        self._generator = Descent(processes, trained)
        self._adversary = Descent(processes, list(self.discriminator.parameters()))

    def _optimiser(self, parameters: Iterable[Tensor]) -> torch.optim.Adam:
        settings = self.settings
        return torch.optim.Adam(
            parameters, settings.rate, betas=settings.betas, eps=settings.epsilon
        )

    def parts(self) -> Mapping[str, Stateful]:
        """Everything that a resumed training needs."""
        parts: dict[str, Stateful] = {
            "model": self.model,
            "discriminator": self.discriminator,
            "generator_steps": self.generator_steps,
            "discriminator_steps": self.discriminator_steps,
        }
        if self.lecam is not None:
            parts["lecam"] = self.lecam
        if self.average is not None:
            parts["average"] = self.average
        return parts

    def finish(self) -> None:
        """Give the model the running mean of its weights, where the settings ask for one."""
        if self.average is not None:
            self.average.into(self.model)

    def step(self, index: int) -> Mapping[str, float]:
        """Train on one batch: the generator, then the discriminator once it takes part."""
        settings = self.settings
        if index in settings.fit_steps:
            self._fit_codebook(index)
        for optimiser in (self.generator_steps, self.discriminator_steps):
            set_rate(optimiser, settings.rate_at(index))
        self.model.train()
        shares = self.processes.shares(self.batches, index)
        passes: list[Reconstructed] = []

        def reconstruct(images: Tensor) -> Tensor:
            torch.manual_seed(index)  # seeds the noise, so that a resumed training draws the same
            passes.append(self.reconstruct(images, index))
            return passes[-1].loss.total

        self.generator_steps.zero_grad(set_to_none=True)
        self._generator.backward([partial(reconstruct, images) for images in shares])
        self.generator_steps.step()
        if self.average is not None:
            self.average.update(self.model)
        values = _means([self._values(one, index) for one in passes])
        ids = [one.result.ids for one in passes if one.result.ids is not None]
        if ids:
            values["perplexity"] = perplexity(self.processes.gathered(torch.cat(ids)))
        if settings.loss.adversarial(index):
            values["discriminator"] = self._train_discriminator(passes)
        return values

    def reconstruct(self, images: Float[Tensor, "b 3 h w"], index: int) -> "Reconstructed":
        """Images as a step reconstructs them, and the generator's loss."""
        settings = self.settings
        noise = settings.noise if index < settings.noisy_steps else None
        with self._precision():
            result = self.forward(images, noise)
            loss = generator_loss(
                images,
                result.images,
                result.codebook_loss,
                settings.loss if noise is None else self.noisy_loss,
                index,
                last_layer=self.last_layer,
                perceptual=self.perceptual,
                discriminator=self.discriminator,
                guidance=result.guidance,
                mean=self.processes.mean,
            )
        return Reconstructed(images, result, loss)

    def judge(
        self, images: Float[Tensor, "b 3 h w"], reconstruction: Float[Tensor, "b 3 h w"]
    ) -> Float[Tensor, ""]:
        """The discriminator's loss."""
        with self._precision():
            real = self.discriminator(images)
            fake = self.discriminator(reconstruction.detach().float())
            loss = discriminator_loss(real, fake, self.settings.loss.adversary)
            if self.lecam is not None:
                loss = loss + self.settings.loss.lecam_weight * self.lecam(real, fake)
        return loss

    def _values(self, one: "Reconstructed", index: int) -> dict[str, float]:
        settings, loss, result = self.settings, one.loss, one.result
        values = {
            "loss": float(loss.total.detach()),
            "psnr": float(psnr(one.images, result.images.detach()).mean()),
            "pixel": float(loss.pixel.detach()),
            "rate": settings.rate_at(index),
        }
        if settings.loss.perceptual(index):
            values["perceptual"] = float(loss.perceptual.detach())
        noisy = index < settings.noisy_steps
        values["power" if noisy else "codebook"] = float(loss.codebook.detach())
        if result.guidance is not None:
            values["guidance"] = float(loss.guidance.detach())
        if settings.loss.adversarial(index):
            values["adversarial"] = float(loss.adversarial.detach())
            values["adaptive"] = float(loss.weight)
        return values

    def _train_discriminator(self, passes: Sequence["Reconstructed"]) -> float:
        lost: list[Tensor] = []

        def judge(one: Reconstructed) -> Tensor:
            lost.append(self.judge(one.images, one.result.images))
            return lost[-1]

        self.discriminator_steps.zero_grad(set_to_none=True)
        self._adversary.backward([partial(judge, one) for one in passes])
        self.discriminator_steps.step()
        return float(torch.stack(lost).detach().mean())

    @torch.no_grad()
    def _fit_codebook(self, index: int) -> None:
        """Fit the codebook to whole batches, which every process reads for itself."""
        features = []
        for offset in range(self.settings.fit_batches):
            images = self.batches(index + offset)
            with self._precision():
                found = self.features(images).float()
            features.append(found.movedim(1, -1).flatten(0, -2))
        self.fit(torch.cat(features))

    def _precision(self) -> torch.autocast:
        return self.processes.precision(bfloat16=self.settings.bfloat16)


@dataclass(frozen=True, eq=False)
class Reconstructed:
    """A share of a batch, its reconstruction, and the losses."""

    images: Float[Tensor, "b 3 h w"]
    result: AutoencoderOutput
    loss: GeneratorLoss


def _means(values: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each number; all mappings have the same names."""
    return {name: sum(one[name] for one in values) / len(values) for name in values[0]}


def perceptual_network(workshop: Workshop, settings: LossSettings) -> Perceptual | None:
    """The pack's perceptual network, where the perceptual term has a weight."""
    if settings.perceptual_weight <= 0:
        return None
    return Perceptual.load(workshop.pack / "perceptual").to(workshop.device)


@torch.no_grad()
def figures(
    model: nn.Module,
    forward: AutoencoderForward,
    batches: Iterable[Float[Tensor, "b 3 h w"]],
    codes: int,
) -> dict[str, float]:
    """Figures of a trained model, on images that it was not trained on.

    The mean PSNR in dB and L1 error over images (values in [-1, 1]), and how many of the codes
    were used at all, their share, and the perplexity of their use.
    """
    model.eval()
    decibels, errors, ids = [], [], []
    for images in batches:
        result = forward(images, None)
        assert result.ids is not None
        decibels.append(psnr(images, result.images))
        errors.append((images - result.images.float()).abs().flatten(1).mean(1))
        ids.append(result.ids.flatten())
    drawn = torch.cat(ids)
    used = int(torch.unique(drawn).numel())
    return {
        "psnr": float(torch.cat(decibels).mean()),
        "l1": float(torch.cat(errors).mean()),
        "codes_used": float(used),
        "codes_used_share": used / codes,
        "perplexity": perplexity(drawn),
        "pictures": float(sum(len(part) for part in decibels)),
    }


def perplexity(ids: Int[Tensor, "*shape"]) -> float:
    """How many equally used codes would be as varied as these ids."""
    counts = ids.flatten().bincount().double()
    shares = counts[counts > 0] / counts.sum()
    return float((-(shares * shares.log()).sum()).exp())
