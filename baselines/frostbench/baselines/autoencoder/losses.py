"""What the autoencoder and its discriminator are trained to do.

Generator: pixels + perceptual + codebook + adaptive weight * adversarial. Discriminator: hinge.
"""

from dataclasses import dataclass
from typing import Protocol, cast, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

STABLE = 1e-4  # added to the adversarial gradient's norm (the paper says 1e-6, the code this)
LARGEST = 1e4  # of the ratio of the two gradients' norms


@runtime_checkable
class PerceptualDistance(Protocol):
    """A differentiable distance of pictures, such as LPIPS."""

    def distance(
        self, a: Float[Tensor, "b 3 h w"], b: Float[Tensor, "b 3 h w"]
    ) -> Float[Tensor, " b"]:
        """One distance a pair of pictures in [0, 1]; 0 where they are equal."""
        ...


@dataclass(frozen=True)
class LossSettings:
    """The terms' weights. The defaults are those of `imagenet_vqgan`.

    `adversarial_weight` multiplies the adaptive weight, and 0 leaves the discriminator out;
    `adversarial_start` is the first step, counted from 0, in which it takes part. So for the
    perceptual network, which takes part from the beginning in the published trainings.
    """

    pixel_weight: float = 1.0
    perceptual_weight: float = 1.0
    perceptual_start: int = 0
    codebook_weight: float = 1.0
    adversarial_weight: float = 0.8
    adversarial_start: int = 250_001

    def perceptual(self, step: int) -> bool:
        """Whether the perceptual network takes part in a step."""
        return self.perceptual_weight > 0 and step >= self.perceptual_start

    def adversarial(self, step: int) -> bool:
        """Whether the discriminator takes part in a step."""
        return self.adversarial_weight > 0 and step >= self.adversarial_start


@dataclass(frozen=True, eq=False)
class GeneratorLoss:
    """The generator's loss and its terms before weighting; `weight` is the adaptive weight.

    `perceptual`, `adversarial` and `weight` are 0 where the settings leave them out.
    """

    total: Float[Tensor, ""]
    pixel: Float[Tensor, ""]
    perceptual: Float[Tensor, ""]
    codebook: Float[Tensor, ""]
    adversarial: Float[Tensor, ""]
    weight: Float[Tensor, ""]


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
) -> GeneratorLoss:
    """The loss of one batch; pictures in [-1, 1].

    `last_layer` is the weight at which the gradients of reconstruction and adversary are balanced
    (the decoder's last convolution).

    Raises:
        ValueError: a term has a weight, and the network that it needs is missing.
    """
    reconstruction = reconstruction.float()
    pixel = (images - reconstruction).abs().mean()
    zero = pixel.new_zeros(())
    distance = zero
    if settings.perceptual(step):
        if perceptual is None:
            raise ValueError(
                f"a perceptual weight of {settings.perceptual_weight} needs a perceptual network; "
                "give one, or set the weight to 0."
            )
        distance = perceptual.distance((images + 1) / 2, (reconstruction + 1) / 2).mean()
    likelihood = settings.pixel_weight * pixel + settings.perceptual_weight * distance
    total = likelihood + settings.codebook_weight * codebook
    adversarial = weight = zero
    if settings.adversarial(step):
        if discriminator is None:
            raise ValueError(
                f"an adversarial weight of {settings.adversarial_weight} needs a discriminator; "
                "give one, or set the weight to 0."
            )
        adversarial = -cast(Tensor, discriminator(reconstruction)).float().mean()
        weight = settings.adversarial_weight * balance(likelihood, adversarial, last_layer)
        total = total + weight * adversarial
    return GeneratorLoss(total, pixel, distance, codebook, adversarial, weight)


def balance(
    likelihood: Float[Tensor, ""], adversarial: Float[Tensor, ""], last_layer: Tensor
) -> Float[Tensor, ""]:
    """How much larger the likelihood's gradient is at the last layer (section 3.1's lambda)."""
    wanted, adverse = (
        torch.autograd.grad(loss, last_layer, retain_graph=True)[0].float().norm()
        for loss in (likelihood, adversarial)
    )
    ratio: Tensor = wanted / (adverse + STABLE)
    return ratio.clamp(0, LARGEST).detach()


def discriminator_loss(
    real: Float[Tensor, "b 1 ph pw"], fake: Float[Tensor, "b 1 ph pw"]
) -> Float[Tensor, ""]:
    """Hinge loss: real patches above 1, reconstructed ones below -1."""
    errors = functional.relu(1 - real.float()).mean() + functional.relu(1 + fake.float()).mean()
    return errors / 2
