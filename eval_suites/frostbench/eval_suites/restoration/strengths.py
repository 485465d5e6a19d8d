"""Strengths and variants of the low-level corruptions. Imports no torch.

LM4LV (Zheng et al., 2024) degrades its images beforehand; its code ships no degradation, and no
strength was found in its text. These are ours. A change to one, or to how it is applied, needs a
new `VERSION`: results of two versions are not comparable.
"""

from collections.abc import Mapping

VERSION = "v1"

SEVERITIES = ("mild", "moderate", "severe")

STRENGTHS: Mapping[str, tuple[float, float, float]] = {
    "denoising": (25.0, 50.0, 75.0),  # standard deviation, of 255
    "deblurring": (2.0, 4.0, 8.0),  # standard deviation in pixels, on a side of 128
    "pepper_noise": (0.05, 0.15, 0.3),  # share of the pixels that are black
    "deraining": (20.0, 50.0, 100.0),  # streaks on a square image
    "mask_removal": (0.1, 0.2, 0.4),  # share of the cells that are grey
}
"""The strength of each severity, in the order of `SEVERITIES`."""

VARIANTS: Mapping[str, Mapping[str, str]] = {
    "rotation": {"90 degrees": "90", "180 degrees": "180", "270 degrees": "270"},
    "flipping": {"left-right": "horizontal", "top-bottom": "vertical", "transposed": "diagonal"},
}
"""For corruptions without a strength, what a method is told (`Restore.variant`), by protocol."""

LOW_LEVEL = (*STRENGTHS, *VARIANTS)
"""The names of all low-level corruptions, which are also the names of their tasks."""


def check_corruption(name: str) -> None:
    """Refuse what is no low-level corruption.

    Raises:
        LookupError: there is none of this name.
    """
    if name not in LOW_LEVEL:
        raise LookupError(f"no corruption named {name!r}; there are {', '.join(LOW_LEVEL)}.")
