"""How restorations are asked: settings and cards. Imports no torch."""

from dataclasses import dataclass

from frostbench.eval_suites.chosen import check_chosen
from frostbench.plugins.cards import TaskCard

# PSNR ranks: of these it alone has no setting, no network and no window, and it is a mean over
# samples, with an interval of its own. LPIPS and FID, which the papers report, stand beside it.
RANKS_BY = "psnr[rgb]"
METRICS = ("psnr[rgb]", "ssim[rgb]", "lpips[mini]", "fid[mini]", "psnr[y]")
PROTOCOLS = ("oracle_context", "held_out_context")
CONTROLS = ("copy", "majority_vote", "ceiling")


@dataclass(frozen=True)
class RestorationSettings:
    """What restorations have in common.

    Attributes:
        examples: In-context examples: disturbed copies of the clean picture's tokens with
            `oracle_context`, other pictures with `held_out_context`. The paper's are 10.
        pool: Pictures that the examples of `held_out_context` are drawn from.
        protocols: Which of the two are asked.
        shuffled_tokens: Whether each method is asked once more with another picture's tokens; that
            costs as much as the method itself.
        metrics: What is scored besides `psnr[rgb]`, which ranks; `lpips[alex]`, `lpips[vgg]` and
            `fid[inception-v3-pt]` need `metric_weights`.
        data: The data set of the pack.
    """

    examples: int = 10
    pool: int = 40
    protocols: tuple[str, ...] = PROTOCOLS
    shuffled_tokens: bool = False
    metrics: tuple[str, ...] = METRICS
    data: str = "restoration_pictures"

    def __post_init__(self) -> None:
        if self.examples < 1:
            raise ValueError(f"examples are 1 or more, not {self.examples}.")
        check_chosen("protocols", self.protocols, PROTOCOLS)


@dataclass(frozen=True)
class DeblurringSettings(RestorationSettings):
    """Deblurring's own: kernel sizes at 128 pixels, each equally likely; see `draw_blur`."""

    kernels: tuple[int, ...] = (5, 7, 7, 9, 9, 11, 11)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.kernels or any(size < 3 or size % 2 == 0 for size in self.kernels):
            raise ValueError(f"kernels are odd sizes of 3 or more; they are {self.kernels}.")


@dataclass(frozen=True)
class ShiftSettings(RestorationSettings):
    """Shift's own: by how much of the side the corrupted crop lies further right and down.

    The published one is the bottom-right crop instead of the central one, which on a picture of
    4:3 is 21 of 128 pixels to the right.
    """

    right: float = 21 / 128
    down: float = 0.0

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
        cell: Side of a cell in pixels: 8 make the published 16x16 cells of 128 pixels, and 8x8
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
    "shift": "give back the picture before the camera moved to the right",
    "rotation": "turn back a picture that was turned by 90 degrees counter-clockwise",
}


def restoration_card(name: str, settings: RestorationSettings) -> TaskCard:
    """The card of a restoration under some settings."""
    return TaskCard(
        name=name,
        suite="restoration",
        request_type="Restore",
        reads="image",
        metrics=_with_rank(settings.metrics),
        ranks_by=RANKS_BY,
        protocols=settings.protocols,
        controls=(*CONTROLS, *(("shuffled_tokens",) if settings.shuffled_tokens else ())),
        summary=_SUMMARIES[name],
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
        summary="give the picture back through the visual tokens, without a language model",
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
        controls=("copy", "mean_fill", "no_adapter", "shuffled_tokens", "ceiling"),
        summary="fill in cells hidden at random, without examples, or with an adapter instead",
    )


def _with_rank(metrics: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((RANKS_BY, *metrics)))
