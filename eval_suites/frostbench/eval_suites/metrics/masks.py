"""Metrics of masks: cumulative and mean IoU, precision at a threshold, average recall.

All are pooled over phrases, since a sample may hold several: a mean of samples' means would give
phrases unequal weights.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from frostbench.plugins.contract.predictions import Masks, Prediction
from frostbench.plugins.contract.task import Target, TrueMasks

STEPS = 100_000
"""Thresholds of the published average recall: 0, 1e-5, 2e-5, ... below 1."""


@dataclass(frozen=True)
class Overlap:
    """The numbers of pixels in both masks and in either, and the phrase's kinds."""

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


def overlaps(prediction: Prediction, target: Target) -> list[Overlap]:
    """One overlap a phrase.

    Raises:
        ValueError: prediction or target holds no masks, or they differ in number or size. The
            sample is unscored.
    """
    if not isinstance(prediction, Masks):
        raise ValueError(f"masks are scored; the prediction is a {type(prediction).__name__}.")
    if not isinstance(target, TrueMasks):
        raise ValueError(f"masks are scored; the target is a {type(target).__name__}.")
    said, true = prediction.masks.cpu(), target.masks.cpu()
    if said.shape != true.shape:
        raise ValueError(
            f"the predicted masks are {list(said.shape)} and the true ones "
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


def ciou(prediction: Prediction, target: Target) -> tuple[float, float]:
    """`ciou[pixels]`: the sum of intersections divided by the sum of unions, as RefCOCO is ranked.

    In [0, 1]; higher is better. Large masks weigh more. A phrase whose two masks are empty adds
    nothing to either sum.

    Raises:
        ValueError: prediction or target holds no masks, or they do not fit one another.
    """
    found = overlaps(prediction, target)
    return float(sum(one.intersection for one in found)), float(sum(one.union for one in found))


def phrase_mean(
    prediction: Prediction,
    target: Target,
    *,
    value: Callable[[Overlap], float],
    kind: str | None = None,
) -> tuple[float, float]:
    """What one sample adds to the mean over phrases of a value in [0, 1]; higher is better.

    With `kind`, over the phrases of that kind alone; where a set has none there is no value.

    Raises:
        ValueError: prediction or target holds no masks, or they do not fit one another.
    """
    found = [
        value(one) for one in overlaps(prediction, target) if kind is None or kind in one.kinds
    ]
    return math.fsum(found), float(len(found))


miou = partial(phrase_mean, value=lambda one: one.iou)
"""`miou[phrases]`: the mean IoU of phrases (gIoU in LISA)."""

precision_at_half = partial(phrase_mean, value=lambda one: float(one.iou >= 0.5))
"""`p@0.5[phrases]`: the share of phrases with an IoU of 0.5 or more."""

average_recall = partial(phrase_mean, value=recall_area)
"""`average_recall[all]`: the published area under recall, over every phrase."""

average_recall_things = partial(average_recall, kind="thing")
average_recall_stuff = partial(average_recall, kind="stuff")  # sky, grass
average_recall_singulars = partial(average_recall, kind="singular")
average_recall_plurals = partial(average_recall, kind="plural")  # masks are unions of several
