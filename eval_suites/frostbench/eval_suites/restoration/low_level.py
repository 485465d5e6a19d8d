"""The low-level tasks, after LM4LV: one corruption at three severities, or in three variants.

Zheng et al., 2024, https://arxiv.org/abs/2405.15734. Methods that are trained for a task ignore the
examples; others learn the task from them.
"""

from frostbench.eval_suites.restoration.cases import MakeCase, degrading, varying
from frostbench.eval_suites.restoration.in_context import InContext
from frostbench.eval_suites.restoration.settings import (
    DenoisingSettings,
    DerainingSettings,
    FlippingSettings,
    MaskRemovalSettings,
    PepperNoiseSettings,
    SeveritySettings,
    restoration_card,
)
from frostbench.eval_suites.restoration.strengths import SEVERITIES, VARIANTS
from frostbench.plugins.contract.datasets import ImageSet, PairSet


class Degraded(InContext):
    """A corruption at three severities, with strengths as settings, or that of given pairs."""

    settings = SeveritySettings
    asks = (ImageSet, PairSet)

    def __init__(self, settings: SeveritySettings) -> None:
        super().__init__(settings)
        self._strengths = settings.strengths

    def cases(self, images: ImageSet, protocol: str) -> MakeCase:
        """Degrade the images."""
        strength = self._strengths[SEVERITIES.index(protocol)]
        return degrading(images, self.card.name, strength)


class Denoising(Degraded):
    """White Gaussian noise, clipped."""

    settings = DenoisingSettings
    card = restoration_card("denoising", DenoisingSettings())
    data = DenoisingSettings().data


class PepperNoise(Degraded):
    """Single black pixels."""

    settings = PepperNoiseSettings
    card = restoration_card("pepper_noise", PepperNoiseSettings())
    data = PepperNoiseSettings().data


class Deraining(Degraded):
    """Bright streaks of one direction."""

    settings = DerainingSettings
    card = restoration_card("deraining", DerainingSettings())
    data = DerainingSettings().data


class MaskRemoval(Degraded):
    """Small grey squares; unlike in inpainting they are not given as `hidden`."""

    settings = MaskRemovalSettings
    card = restoration_card("mask_removal", MaskRemovalSettings())
    data = MaskRemovalSettings().data


class Flipping(InContext):
    """Left and right, top and bottom, or rows and columns exchanged."""

    settings = FlippingSettings
    card = restoration_card("flipping", FlippingSettings())
    data = FlippingSettings().data

    def cases(self, images: ImageSet, protocol: str) -> MakeCase:
        """Flip the images."""
        return varying(images, self.card.name, self.variant(protocol))

    def variant(self, protocol: str) -> str:
        """Which way the image was flipped."""
        return VARIANTS[self.card.name][protocol]
