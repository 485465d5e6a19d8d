"""Settings and cards of the restoration tasks. Imports no torch."""

from dataclasses import dataclass
from typing import ClassVar

from frostbench.eval_suites.restoration.strengths import SEVERITIES, STRENGTHS, VARIANTS, VERSION
from frostbench.plugins.contract.cards import TaskCard
from frostbench.plugins.host.settings import check_chosen

# PSNR ranks: it is the only one without setting, network or window, and a mean over samples, with
# an interval of its own. LPIPS and FID, which the papers report, stand beside it.
RANKS_BY = "psnr[rgb]"
METRICS = ("psnr[rgb]", "ssim[rgb]", "lpips[mini]", "fid[mini]", "psnr[y]")
# A Fréchet distance of eight images is meaningless. LM4LV scores without the outer 4 pixels.
LOW_LEVEL_METRICS = (
    "psnr[rgb]",
    "ssim[rgb]",
    "lpips[mini]",
    "psnr[rgb-crop4]",
    "ssim[rgb-crop4]",
)
ORACLE, HELD_OUT = "oracle_context", "held_out_context"
PROTOCOLS = (ORACLE, HELD_OUT)
GIVEN = "given"
"""The protocol of a data set of pairs: the degradation is that of the files."""
CONTROLS = ("copy", "majority_vote", "no_llm", "ceiling")
LOW_LEVEL_CONTROLS = ("copy", "majority_vote", "no_llm", "floor", "ceiling")


@dataclass(frozen=True)
class InContextSettings:
    """Settings shared by restorations that show other images as examples.

    Attributes:
        others: How many other images are shown before and after the corruption.
        pool: How many images they are drawn from.
        protocols: Which of `KNOWN` are asked; `given` is for pairs, which come degraded.
        shuffled_tokens: Whether each method runs once more with another image's tokens; this costs
            as much as the method itself.
        metrics: What is scored besides `psnr[rgb]`, which ranks; `lpips[alex]`, `lpips[vgg]` and
            `fid[inception-v3-pt]` need `metric_weights`.
        data: The data set of the pack.
    """

    KNOWN: ClassVar[tuple[str, ...]] = ()

    others: int = 2
    pool: int = 8
    protocols: tuple[str, ...] = ()
    shuffled_tokens: bool = False
    metrics: tuple[str, ...] = LOW_LEVEL_METRICS
    data: str = "restoration_pictures"

    def __post_init__(self) -> None:
        if self.others < 1:
            raise ValueError(f"others are 1 or more, not {self.others}.")
        check_chosen("protocols", self.protocols, self.KNOWN)


@dataclass(frozen=True)
class RestorationSettings(InContextSettings):
    """Restorations as V2L-Tokenizer asks them.

    `examples` is the number of disturbed copies of the clean image's tokens in `oracle_context`, 10
    in the paper. `held_out_context` shows `others`, a number of ours.
    """

    KNOWN: ClassVar[tuple[str, ...]] = PROTOCOLS

    examples: int = 10
    others: int = 4
    pool: int = 40
    protocols: tuple[str, ...] = PROTOCOLS
    metrics: tuple[str, ...] = METRICS

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.examples < 1:
            raise ValueError(f"examples are 1 or more, not {self.examples}.")


@dataclass(frozen=True)
class SeveritySettings(InContextSettings):
    """One corruption at three severities.

    Attributes:
        strengths: The strengths of `mild`, `moderate` and `severe`; `STRENGTHS` has their units.
        degradations: The version of the corruptions; results depend on it.
    """

    KNOWN: ClassVar[tuple[str, ...]] = (*SEVERITIES, GIVEN)

    protocols: tuple[str, ...] = SEVERITIES
    strengths: tuple[float, ...] = ()
    degradations: str = VERSION

    def __post_init__(self) -> None:
        super().__post_init__()
        check_strengths(self.strengths)
        check_version(self.degradations)


@dataclass(frozen=True)
class DenoisingSettings(SeveritySettings):
    """Denoising's own strengths."""

    strengths: tuple[float, ...] = STRENGTHS["denoising"]


@dataclass(frozen=True)
class PepperNoiseSettings(SeveritySettings):
    """Pepper noise's own strengths."""

    strengths: tuple[float, ...] = STRENGTHS["pepper_noise"]


@dataclass(frozen=True)
class DerainingSettings(SeveritySettings):
    """Deraining's own strengths."""

    strengths: tuple[float, ...] = STRENGTHS["deraining"]


@dataclass(frozen=True)
class MaskRemovalSettings(SeveritySettings):
    """Mask removal's own strengths."""

    strengths: tuple[float, ...] = STRENGTHS["mask_removal"]


@dataclass(frozen=True)
class FlippingSettings(InContextSettings):
    """Flipping has variants, which a method is told, and no strength."""

    KNOWN: ClassVar[tuple[str, ...]] = tuple(VARIANTS["flipping"])

    protocols: tuple[str, ...] = tuple(VARIANTS["flipping"])
    degradations: str = VERSION

    def __post_init__(self) -> None:
        super().__post_init__()
        check_version(self.degradations)


@dataclass(frozen=True)
class DeblurringSettings(RestorationSettings):
    """Deblurring's own; `held_out_context` must be asked for: the severities are held out too.

    Attributes:
        kernels: In the published protocols, kernel sizes at 128 pixels, each equally likely; see
            `draw_blur`.
        strengths: For the severities, the blur's standard deviation in pixels at a side of 128.
        degradations: See `SeveritySettings`.
    """

    KNOWN: ClassVar[tuple[str, ...]] = (*PROTOCOLS, *SEVERITIES, GIVEN)

    protocols: tuple[str, ...] = (ORACLE, *SEVERITIES)
    metrics: tuple[str, ...] = tuple(dict.fromkeys((*METRICS, *LOW_LEVEL_METRICS)))
    kernels: tuple[int, ...] = (5, 7, 7, 9, 9, 11, 11)
    strengths: tuple[float, ...] = STRENGTHS["deblurring"]
    degradations: str = VERSION

    def __post_init__(self) -> None:
        super().__post_init__()
        check_strengths(self.strengths)
        check_version(self.degradations)
        if not self.kernels or any(size < 3 or size % 2 == 0 for size in self.kernels):
            raise ValueError(f"kernels are odd sizes of 3 or more; they are {self.kernels}.")


@dataclass(frozen=True)
class RotationSettings(RestorationSettings):
    """Rotation's own: by 90 degrees as published, and in variants that a method is told.

    `held_out_context` must be asked for: "90 degrees" is the same.
    """

    KNOWN: ClassVar[tuple[str, ...]] = (*PROTOCOLS, *VARIANTS["rotation"])

    protocols: tuple[str, ...] = (ORACLE, *VARIANTS["rotation"])
    metrics: tuple[str, ...] = tuple(dict.fromkeys((*METRICS, *LOW_LEVEL_METRICS)))
    degradations: str = VERSION

    def __post_init__(self) -> None:
        super().__post_init__()
        check_version(self.degradations)


@dataclass(frozen=True)
class ShiftSettings(RestorationSettings):
    """Shift's own: how far right and down the corrupted crop lies, as parts of the side.

    The published shift takes the bottom-right crop instead of the central one: 21 of 128 pixels to
    the right for an image of 4:3. `to_corner` takes that crop of every image, so the image's shape
    sets the shift: none for a square.
    """

    right: float = 21 / 128
    down: float = 0.0
    to_corner: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.right, self.down) < 0 or max(self.right, self.down) > 0.5:
            raise ValueError(
                f"right and down are parts of the side in [0, 0.5]; they are {self.right} and "
                f"{self.down}."
            )


@dataclass(frozen=True)
class ReconstructionSettings:
    """Reconstruction has no context and no protocols; see `RestorationSettings`."""

    metrics: tuple[str, ...] = METRICS
    data: str = "restoration_pictures"


@dataclass(frozen=True)
class MaskedRestorationSettings:
    """Masked restoration has no examples and no protocols.

    Attributes:
        share: Share of the cells that are hidden; 30 % in the paper.
        cell: Side of a cell in pixels: 8 gives the published 16x16 cells of 128 pixels, and 8x8
            cells of 64.
        metrics: What is scored; see `RestorationSettings`.
        data: The data set of the pack.
    """

    share: float = 0.3
    cell: int = 8
    metrics: tuple[str, ...] = METRICS
    data: str = "restoration_pictures"

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(
                f"share is a part of the cells, above 0 and below 1, not {self.share}."
            )
        if self.cell < 1:
            raise ValueError(f"a cell has a side of 1 pixel or more, not {self.cell}.")


_SUMMARIES = {
    "inpainting": "fill in the central half of rows and columns",
    "outpainting": "fill in the lower half",
    "deblurring": "undo a Gaussian blur of unknown width",
    "shift": "give back the image before the camera moved to the right",
    "rotation": "turn back an image that was turned counter-clockwise",
    "denoising": "undo Gaussian noise",
    "pepper_noise": "fill in single pixels that are black",
    "deraining": "take away streaks of rain",
    "mask_removal": "fill in small grey squares at unknown places",
    "flipping": "flip an image back",
}


def check_strengths(strengths: tuple[float, ...]) -> None:
    """Refuse strengths that are not one for each severity, rising.

    Raises:
        ValueError: they are not.
    """
    if len(strengths) != len(SEVERITIES) or sorted({*strengths}) != list(strengths):
        raise ValueError(
            f"strengths are one for each of {', '.join(SEVERITIES)}, each above the one before; "
            f"they are {strengths}."
        )
    if strengths[0] <= 0:
        raise ValueError(f"strengths are above 0; the mildest is {strengths[0]}.")


def check_version(degradations: str) -> None:
    """Refuse corruptions of another version than this one's.

    Raises:
        ValueError: it is another.
    """
    if degradations != VERSION:
        raise ValueError(
            f"degradations are {VERSION!r} in this version of frostbench, not {degradations!r}."
        )


def restoration_card(name: str, settings: InContextSettings) -> TaskCard:
    """The card of a restoration under some settings."""
    low_level = any(protocol not in PROTOCOLS for protocol in type(settings).KNOWN)
    controls = LOW_LEVEL_CONTROLS if low_level else CONTROLS
    return TaskCard(
        name=name,
        suite="restoration",
        request_type="Restore",
        reads="image",
        metrics=_with_rank(settings.metrics),
        ranks_by=RANKS_BY,
        protocols=settings.protocols,
        controls=(*controls, *(("shuffled_tokens",) if settings.shuffled_tokens else ())),
        summary=_SUMMARIES[name],
        levels=tuple(one for one in settings.protocols if one in SEVERITIES),
        variants=tuple(one for one in settings.protocols if one in VARIANTS.get(name, ())),
    )


def reconstruction_card(settings: ReconstructionSettings) -> TaskCard:
    """The card of reconstruction under some settings."""
    return TaskCard(
        name="reconstruction",
        suite="restoration",
        request_type="Reconstruct",
        reads="image",
        metrics=_with_rank(settings.metrics),
        ranks_by=RANKS_BY,
        controls=("mean_colour", "shuffled_tokens"),
        summary="give the image back through the visual tokens, without a language model",
    )


def masked_card(settings: MaskedRestorationSettings) -> TaskCard:
    """The card of masked restoration under some settings."""
    return TaskCard(
        name="masked_restoration",
        suite="restoration",
        request_type="Restore",
        reads="image",
        metrics=_with_rank(settings.metrics),
        ranks_by=RANKS_BY,
        controls=("copy", "mean_fill", "no_adapter", "no_llm", "shuffled_tokens", "ceiling"),
        summary="fill in cells hidden at random, without examples, or with an adapter instead",
    )


def _with_rank(metrics: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((RANKS_BY, *metrics)))
