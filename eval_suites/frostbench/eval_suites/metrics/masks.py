"""Metrics of masks: cumulative and mean IoU, precision at a threshold, average recall.

All are pooled over phrases, and a sample may hold several: means of samples' means would weigh a
phrase by its company.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from frostbench.plugins.contract.metric import MetricContext
from frostbench.plugins.contract.predictions import Masks, Prediction
from frostbench.plugins.contract.task import Target, TrueMasks

STEPS = 100_000
"""Thresholds of the published average recall: 0, 1e-5, 2e-5, ... below 1."""


@dataclass(frozen=True)
class Overlap:
    """Pixels that a predicted and a true mask share, pixels of either, and the phrase's kinds."""

    intersection: int
    union: int
    kinds: tuple[str, ...] = ()

    @property
    def iou(self) -> float:
        """Intersection over union, in [0, 1]; higher is better. Two empty masks score 1.

        >>> Overlap(1, 2).iou, Overlap(0, 5).iou, Overlap(0, 0).iou
        (0.5, 0.0, 1.0)
        """
        return self.intersection / self.union if self.union else 1.0


def overlaps(metric: str, prediction: Prediction, target: Target) -> list[Overlap]:
    """One overlap a phrase.

    Raises:
        ValueError: prediction or target holds no masks, or they differ in number or size. The
            sample is unscored.
    """
    if not isinstance(prediction, Masks):
        raise ValueError(f"{metric} scores masks; the prediction is a {type(prediction).__name__}.")
    if not isinstance(target, TrueMasks):
        raise ValueError(f"{metric} scores masks; the target is a {type(target).__name__}.")
    said, true = prediction.masks.cpu(), target.masks.cpu()
    if said.shape != true.shape:
        raise ValueError(
            f"{metric}: the predicted masks are {list(said.shape)} and the true ones "
            f"{list(true.shape)}; predictions come back one a phrase, at the size of the "
            "request's image."
        )
    intersections = (said & true).flatten(1).sum(1).tolist()
    unions = (said | true).flatten(1).sum(1).tolist()
    kinds = target.kinds or ((),) * len(true)
    return [Overlap(*each) for each in zip(intersections, unions, kinds, strict=True)]


def recall_area(overlap: Overlap) -> float:
    """What one phrase adds to the published average recall, in [0, 1].

    Gonzalez et al., "Panoptic Narrative Grounding", ICCV 2021: recall(t), the share of phrases with
    IoU >= t, summed over t = 0, 1e-5, ... below 1, times 1e-5. That is the mean over phrases of how
    many thresholds each reaches, so that it exceeds mean IoU by less than the step.

    >>> recall_area(Overlap(0, 5)), recall_area(Overlap(1, 2)), recall_area(Overlap(3, 3))
    (1e-05, 0.50001, 1.0)
    """
    # Thresholds are the whole numbers k / STEPS: exact where an IoU lies on one of them.
    reached = STEPS * overlap.intersection // overlap.union if overlap.union else STEPS
    return min(STEPS, reached + 1) / STEPS


@dataclass
class PerPhrase:
    """The mean over phrases of a value in [0, 1], higher is better.

    With `kind`, over the phrases of that kind alone; where a set has none there is no value.
    """

    id: str
    value: Callable[[Overlap], float]
    kind: str | None = None
    higher_is_better: bool = True
    unit: str = ""
    lower: float | None = 0.0
    upper: float | None = 1.0
    pooling: Literal["ratio", "bleu"] = "ratio"

    def counts(self, prediction: Prediction, target: Target) -> Sequence[float]:
        """The sum of the phrases' values, and how many phrases there are.

        Raises:
            ValueError: prediction or target holds no masks, or they do not fit one another.
        """
        found = [
            self.value(one)
            for one in overlaps(self.id, prediction, target)
            if self.kind is None or self.kind in one.kinds
        ]
        return math.fsum(found), float(len(found))


@dataclass
class CumulativeIou:
    """All phrases' intersections by all their unions, in [0, 1]; higher is better.

    Large masks weigh more. A phrase whose two masks are empty adds nothing to either sum.
    """

    id: str = "ciou[pixels]"
    higher_is_better: bool = True
    unit: str = ""
    lower: float | None = 0.0
    upper: float | None = 1.0
    pooling: Literal["ratio", "bleu"] = "ratio"

    def counts(self, prediction: Prediction, target: Target) -> Sequence[float]:
        """Pixels of the intersections, and of the unions.

        Raises:
            ValueError: prediction or target holds no masks, or they do not fit one another.
        """
        found = overlaps(self.id, prediction, target)
        return (
            float(sum(one.intersection for one in found)),
            float(sum(one.union for one in found)),
        )


def ciou(_: MetricContext) -> CumulativeIou:
    """`ciou[pixels]`: cumulative IoU, as RefCOCO's segmentation is ranked."""
    return CumulativeIou()


def miou(_: MetricContext) -> PerPhrase:
    """`miou[phrases]`: the mean IoU of phrases (gIoU in LISA)."""
    return PerPhrase("miou[phrases]", lambda one: one.iou)


def precision_at_half(_: MetricContext) -> PerPhrase:
    """`p@0.5[phrases]`: the share of phrases with an IoU of 0.5 or more."""
    return PerPhrase("p@0.5[phrases]", lambda one: float(one.iou >= 0.5))


def average_recall_all(_: MetricContext) -> PerPhrase:
    """`average_recall[all]`: the published area under recall, over every phrase."""
    return PerPhrase("average_recall[all]", recall_area)


def average_recall_things(_: MetricContext) -> PerPhrase:
    """`average_recall[things]`: over phrases of countable things."""
    return PerPhrase("average_recall[things]", recall_area, "thing")


def average_recall_stuff(_: MetricContext) -> PerPhrase:
    """`average_recall[stuff]`: over phrases of stuff (sky, grass)."""
    return PerPhrase("average_recall[stuff]", recall_area, "stuff")


def average_recall_singulars(_: MetricContext) -> PerPhrase:
    """`average_recall[singulars]`: over phrases of one thing."""
    return PerPhrase("average_recall[singulars]", recall_area, "singular")


def average_recall_plurals(_: MetricContext) -> PerPhrase:
    """`average_recall[plurals]`: over phrases of several things, whose masks are unions."""
    return PerPhrase("average_recall[plurals]", recall_area, "plural")
