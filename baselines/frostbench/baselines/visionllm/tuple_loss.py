"""L_dec: the loss of predicted tuples (section 3.5).

Tuples and targets are matched one to one, then each slot of a matched tuple costs its
cross-entropy. The cost of a match and the loss of tuples without a target were not found: ours are
class log-probability, L1 and GIoU of decoded corners, and an outcome "no object" of small weight.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from frostbench.baselines.visionllm.matching import Matched, matched, overlap
from frostbench.baselines.visionllm.model import mean_offset
from frostbench.baselines.visionllm.offsets import encoded, placed


@dataclass(frozen=True)
class TupleLossSettings:
    """How tuples are matched and weighted; the paper only names cross-entropy.

    Attributes:
        none: Weight of "no object" in the cross-entropy of class slots, as in DETR.
        cost_class: Weight of the right class's log-probability, which lowers a match's cost.
        cost_corners: Weight of the L1 distance between decoded corners, in parts of the image.
        cost_giou: Weight of their GIoU.
        cost_centre: Weight of the L1 distance from the token's centre to that of the target's box.
            It keeps matches near early in training, when tuples are still random (ours, 0 in the
            paper).
        spread: Standard deviation, in location words, of the target's probability over the words
            near the right one (ours); 0 is plain cross-entropy.
        mean: Weight of the L1 distance from the mean predicted point (ours, 0 in the paper).
        giou: Weight of 1 - GIoU of the mean predicted corners (ours, 0 in the paper).
    """

    none: float = 0.1
    cost_class: float = 1.0
    cost_corners: float = 5.0
    cost_giou: float = 2.0
    cost_centre: float = 0.0
    spread: float = 0.0
    mean: float = 0.0
    giou: float = 0.0


@dataclass(frozen=True, eq=False)
class Tuples:
    """Predicted tuples of a batch of images.

    `classes` are logits of class words and, last, of no object, minus infinity at words that an
    image's prompt does not have; `places` those of location words; `centres` where the tokens lie,
    in parts of the image.
    """

    classes: Float[Tensor, "b m k"]
    places: Float[Tensor, "b m p 2 bins"]
    centres: Float[Tensor, "b m 2"]


@dataclass(frozen=True, eq=False)
class Wanted:
    """All targets of a batch, `counts` of them an image, one image after another.

    `classes` are numbers of class words; `points` (x, y) in parts of the image.
    """

    classes: Int[Tensor, " t"]
    points: Float[Tensor, "t p 2"]
    counts: tuple[int, ...]

    def to(self, device: torch.device) -> "Wanted":
        """The same on a device."""
        return Wanted(self.classes.to(device), self.points.to(device), self.counts)


def tuple_losses(
    said: Tuples, wanted: Wanted, settings: TupleLossSettings
) -> tuple[Mapping[str, Float[Tensor, ""]], Matched]:
    """The weighted terms, and the matched pairs.

    The class term is a weighted mean over all tuples, the others are means over matched ones.
    """
    half = said.places.shape[-1] // 2
    centres = said.centres.detach().float()
    points = placed(mean_offset(said.places.float(), half), centres)
    pairs = matched(_cost(said, points.detach(), wanted, settings), wanted.counts)
    at = pairs.image, pairs.guess
    terms = {"class": _class_loss(said.classes.float(), pairs, wanted, settings.none)}
    if len(pairs.image):
        true = wanted.points[pairs.target]
        words = encoded(true, centres[at], half) + half
        logits = said.places[at].float().flatten(0, -2)
        terms["place"] = word_loss(logits, words.flatten(), settings.spread)
        if settings.mean:
            terms["mean"] = settings.mean * (points[at] - true).abs().mean()
        if settings.giou:
            fit = overlap(hull(points[at]), hull(true))[1]
            terms["giou"] = settings.giou * (1 - fit).mean()
    return terms, pairs


def word_loss(
    logits: Float[Tensor, "n bins"], words: Int[Tensor, " n"], spread: float
) -> Float[Tensor, ""]:
    """Cross-entropy of location words, the target's probability spread over its neighbours."""
    if not spread:
        return functional.cross_entropy(logits, words)
    steps = torch.arange(logits.shape[1], device=logits.device)
    distance = (steps - words[:, None]).float() / spread
    return functional.cross_entropy(logits, (-(distance**2) / 2).softmax(1))


def hull(points: Float[Tensor, "*n p 2"]) -> Float[Tensor, "*n 4"]:
    """The box (left, top, right, bottom) around points."""
    return torch.cat((points.amin(-2), points.amax(-2)), -1)


def asked_classes(counts: Sequence[int], most: int) -> Bool[Tensor, "b k"]:
    """Which of `most` class words (and, last, "no object") prompts of `counts` classes have."""
    words = torch.arange(most) < torch.tensor(counts)[:, None]
    return torch.cat((words, torch.ones(len(counts), 1, dtype=torch.bool)), 1)


def _class_loss(
    logits: Float[Tensor, "b m k"], pairs: Matched, wanted: Wanted, none: float
) -> Float[Tensor, ""]:
    last = logits.shape[-1] - 1
    targets = torch.full(logits.shape[:2], last, device=logits.device)
    targets[pairs.image, pairs.guess] = wanted.classes[pairs.target]
    weights = torch.ones(last + 1, device=logits.device)
    weights[last] = none
    return functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), weights)


def _cost(
    said: Tuples,
    points: Float[Tensor, "b m p 2"],
    wanted: Wanted,
    settings: TupleLossSettings,
) -> Float[Tensor, "b m t"]:
    chances = said.classes.detach().float().log_softmax(-1).clamp(min=-50)
    cost = -settings.cost_class * chances[..., wanted.classes]
    own, true = hull(points), hull(wanted.points)
    rows = len(own)
    cost = cost + settings.cost_corners * torch.cdist(own, true.expand(rows, -1, -1), 1)
    cost = cost - settings.cost_giou * overlap(own[:, :, None], true)[1]
    if settings.cost_centre:
        middle = ((true[:, :2] + true[:, 2:]) / 2).expand(rows, -1, -1)
        near = torch.cdist(said.centres.detach().float(), middle, 1)
        cost = cost + settings.cost_centre * near
    return cost
