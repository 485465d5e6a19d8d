"""The losses of an autoencoder and of its discriminator.

VQ-GAN is Esser, Rombach, Ommer, "Taming Transformers for High-Resolution Image Synthesis",
CVPR 2021, https://arxiv.org/abs/2012.09841.

Generator: pixels + perceptual + codebook + weight * adversarial, plus any guidance of the codes.
Discriminator: hinge or logistic.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar, cast, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

T = TypeVar("T")

STABLE = 1e-4  # added to the adversarial gradient's norm (the paper says 1e-6, the code this)
LARGEST = 1e4  # largest ratio of the two gradients' norms


@runtime_checkable
class PerceptualDistance(Protocol):
    """A differentiable distance of images, such as LPIPS."""

    def distance(
        self, a: Float[Tensor, "b 3 h w"], b: Float[Tensor, "b 3 h w"]
    ) -> Float[Tensor, " b"]:
        """One distance a pair of images in [0, 1]; 0 where they are equal."""
        ...


@dataclass(frozen=True)
class LossSettings:
    """The terms' weights. The defaults are those of `imagenet_vqgan`.

    `adversarial_weight` multiplies the adaptive weight, or is the weight itself where `adaptive` is
    off, and 0 leaves the discriminator out; `adversarial_start` is the first step, counted from 0,
    in which it takes part. The same holds for the perceptual network, which takes part from the
    beginning in the published trainings. `pixel` is the error whose mean over values is taken. With
    the "logistic" adversary the generator's loss does not saturate. `lecam_weight` is that of
    `LeCam`.

    Guidance of the codes to a meaning (SPAE's semantic loss) counts `guidance_weight` times as much
    as all other terms together: it is multiplied by the ratio of the two, at most by
    `guidance_largest`.
    """

    pixel: Literal["absolute", "squared"] = "absolute"
    pixel_weight: float = 1.0
    perceptual_weight: float = 1.0
    perceptual_start: int = 0
    codebook_weight: float = 1.0
    adversarial_weight: float = 0.8
    adversarial_start: int = 250_001
    adaptive: bool = True
    adversary: Literal["hinge", "logistic"] = "hinge"
    lecam_weight: float = 0.0
    guidance_weight: float = 0.0
    guidance_largest: float = 100.0

    def perceptual(self, step: int) -> bool:
        """Whether the perceptual network takes part in a step."""
        return self.perceptual_weight > 0 and step >= self.perceptual_start

    def adversarial(self, step: int) -> bool:
        """Whether the discriminator takes part in a step."""
        return self.adversarial_weight > 0 and step >= self.adversarial_start


@dataclass(frozen=True, eq=False)
class GeneratorLoss:
    """The generator's loss and its terms before weighting; `weight` is the adversarial weight.

    `perceptual`, `adversarial`, `weight` and `guidance` are 0 where they are left out.
    """

    total: Float[Tensor, ""]
    pixel: Float[Tensor, ""]
    perceptual: Float[Tensor, ""]
    codebook: Float[Tensor, ""]
    adversarial: Float[Tensor, ""]
    weight: Float[Tensor, ""]
    guidance: Float[Tensor, ""]


def generator_loss(
    images: Float[Tensor, "b 3 h w"],
    reconstruction: Float[Tensor, "b 3 h w"],
    codebook: Float[Tensor, ""],
    settings: LossSettings,
    step: int,
    *,
    last_layer: Tensor,
    perceptual: PerceptualDistance | None,
    discriminator: nn.Module | None,
    guidance: Float[Tensor, ""] | None = None,
    mean: Callable[[Tensor], Tensor] = torch.detach,
) -> GeneratorLoss:
    """The loss of one batch; images in [-1, 1].

    `last_layer` is the weight at which the gradients of reconstruction and adversary are balanced
    (the decoder's last convolution). `guidance` is the loss that guides the codes, before
    weighting. Weights that depend on the batch are those of the whole batch: `mean` takes a share's
    value and gives the mean over all shares.

    Raises:
        ValueError: a term has a weight, and the network that it needs is missing.
    """
    # VQ-GAN, equation (4), first term; the published code adds the perceptual term to it.
    reconstruction = reconstruction.float()
    error = images - reconstruction
    pixel = (error.abs() if settings.pixel == "absolute" else error.square()).mean()
    distance = zero = pixel.new_zeros(())
    if settings.perceptual(step):
        network = _needed(
            perceptual, "a perceptual", settings.perceptual_weight, "perceptual network"
        )
        distance = network.distance((images + 1) / 2, (reconstruction + 1) / 2).mean()
    likelihood = settings.pixel_weight * pixel + settings.perceptual_weight * distance
    # VQ-GAN, equation (6): what encoder, decoder and codebook minimise.
    total = likelihood + settings.codebook_weight * codebook
    adversarial = weight = zero
    if settings.adversarial(step):
        weighed = settings.adversarial_weight
        critic = _needed(discriminator, "an adversarial", weighed, "discriminator")
        fake = cast(Tensor, critic(reconstruction)).float()
        adversarial = (
            -fake if settings.adversary == "hinge" else functional.softplus(-fake)
        ).mean()
        weight = zero + settings.adversarial_weight
        if settings.adaptive:
            weight = weight * balance(likelihood, adversarial, last_layer, mean)
        total = total + weight * adversarial
    if guidance is not None and settings.guidance_weight > 0:
        ratio = (mean(total) / mean(guidance)).clamp(0, settings.guidance_largest)
        total = total + settings.guidance_weight * ratio * guidance
    return GeneratorLoss(
        total,
        pixel,
        distance,
        codebook,
        adversarial,
        weight,
        zero if guidance is None else guidance,
    )


def _needed(network: T | None, term: str, weight: float, noun: str) -> T:
    """The network that a term with a weight needs.

    Raises:
        ValueError: there is none.
    """
    if network is None:
        raise ValueError(
            f"{term} weight of {weight} needs a {noun}; give one, or set the weight to 0."
        )
    return network


def balance(
    likelihood: Float[Tensor, ""],
    adversarial: Float[Tensor, ""],
    last_layer: Tensor,
    mean: Callable[[Tensor], Tensor] = torch.detach,
) -> Float[Tensor, ""]:
    """How much larger the likelihood's gradient is at the last layer (VQ-GAN, equation (7))."""
    wanted, adverse = (
        mean(torch.autograd.grad(loss, last_layer, retain_graph=True)[0].float()).norm()
        for loss in (likelihood, adversarial)
    )
    ratio: Tensor = wanted / (adverse + STABLE)
    return ratio.clamp(0, LARGEST).detach()


def discriminator_loss(
    real: Float[Tensor, "b 1 ph pw"],
    fake: Float[Tensor, "b 1 ph pw"],
    adversary: Literal["hinge", "logistic"] = "hinge",
) -> Float[Tensor, ""]:
    """Hinge: real patches above 1, fake ones below -1. Logistic: as far apart as can be.

    VQ-GAN, equation (5), is the logistic one; the published code has the hinge.
    """
    error = functional.softplus if adversary == "logistic" else _hinge
    return (error(-real.float()).mean() + error(fake.float()).mean()) / 2


def _hinge(logits: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    return functional.relu(1 + logits)


class LeCam(nn.Module):
    """A regulariser for a discriminator with little data: how far its real and fake logits differ.

    Tseng et al., "Regularizing Generative Adversarial Networks under Limited Data", CVPR 2021,
    https://arxiv.org/abs/2104.03310, in the form of MAGVIT's code: each side's logits are drawn to
    the running mean of the other, and only where they are beyond it.
    """

    def __init__(
        self, decay: float = 0.999, mean: Callable[[Tensor], Tensor] = torch.detach
    ) -> None:
        super().__init__()
        self.decay, self._mean = decay, mean
        self.real: Tensor
        self.fake: Tensor
        self.register_buffer("real", torch.zeros(()))
        self.register_buffer("fake", torch.zeros(()))

    def forward(
        self, real: Float[Tensor, "b 1 ph pw"], fake: Float[Tensor, "b 1 ph pw"]
    ) -> Float[Tensor, ""]:
        """The regulariser of one batch; the running means move on."""
        real, fake = real.float(), fake.float()
        self.real.lerp_(self._mean(real.mean()), 1 - self.decay)
        self.fake.lerp_(self._mean(fake.mean()), 1 - self.decay)
        above = functional.relu(real - self.fake).square().mean()
        below = functional.relu(self.real - fake).square().mean()
        return above + below
