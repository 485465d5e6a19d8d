"""L_tok: the loss of image tokens (section 3.5).

A set loss as in DETR: whether a token is a thing at all (focal, no classes), and where its centre
is (L1). Weights were not found. For small trainings two terms of ours can be added: a box of each
token, as in the Deformable DETR that published trainings start from, and its name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from frostbench.baselines.visionllm.matching import Matched, corners, matched, overlap
from frostbench.baselines.visionllm.model import GuidedTokens


@dataclass(frozen=True)
class TokenLossSettings:
    """Weights of the terms; those of the paper are not found.

    Attributes:
        objectness: Weight of the focal loss; 2 as in Deformable DETR.
        centre: Weight of the L1 distance between centres; 5 as for Deformable DETR's boxes.
        box: Weight of the L1 distance between sizes (ours, 0 in the paper).
        giou: Weight of 1 - GIoU of the tokens' boxes (ours, 0 in the paper).
        alpha: Weight of things relative to nothing in the focal loss.
        gamma: How much the focal loss reduces the weight of what is right already.
        every_layer: Whether all layers of the decoder get a loss, or only the last.
    """

    objectness: float = 2.0
    centre: float = 5.0
    box: float = 0.0
    giou: float = 0.0
    alpha: float = 0.25
    gamma: float = 2.0
    every_layer: bool = True


def focal(
    logits: Float[Tensor, "*b"], wanted: Float[Tensor, "*b"], alpha: float, gamma: float
) -> Float[Tensor, ""]:
    """The sum of focal losses, -a (1 - p)^g log p, where p is the probability of the target."""
    entropy = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    weight = alpha * wanted + (1 - alpha) * (1 - wanted)
    return (weight * (1 - (-entropy).exp()) ** gamma * entropy).sum()


def token_losses(
    seen: GuidedTokens,
    boxes: Float[Tensor, "t 4"],
    counts: Sequence[int],
    settings: TokenLossSettings,
) -> tuple[Mapping[str, Float[Tensor, ""]], Matched]:
    """The weighted terms, per target, and the last layer's pairs.

    `boxes` are those of all targets, (left, top, right, bottom) in parts of the image, `counts` of
    them an image, one image after another.
    """
    sums: dict[str, Tensor] = {}
    first = 0 if settings.every_layer else len(seen.boxes) - 1
    count = max(1, sum(counts))
    pairs: Matched | None = None
    for given, logits in zip(seen.boxes[first:].float(), seen.levels[first:].float(), strict=True):
        pairs = matched(_cost(given, logits, boxes, settings), counts)
        wanted = torch.zeros_like(logits)
        wanted[pairs.image, pairs.guess] = 1
        own, true = given[pairs.image, pairs.guess], boxes[pairs.target]
        centre, size = _centred(true)
        terms = {
            "objectness": settings.objectness
            * focal(logits, wanted, settings.alpha, settings.gamma),
            "centre": settings.centre * (own[:, :2] - centre).abs().sum(),
            "size": settings.box * (own[:, 2:] - size).abs().sum(),
            "giou": settings.giou * (1 - overlap(corners(own), true)[1]).sum(),
        }
        for name, term in terms.items():
            sums[name] = sums.get(name, torch.zeros_like(term)) + term / count
    assert pairs is not None
    return sums, pairs


def naming_loss(
    tokens: Float[Tensor, "b m w"],
    pairs: Matched,
    classes: Int[Tensor, " t"],
    names: Float[Tensor, "k w"],
    sharpness: float,
    pull: float,
) -> Float[Tensor, ""]:
    """Cross-entropy of each matched token's name, by the cosine to the embeddings of all names.

    Ours: it brings image tokens near the words that the language model knows already. The
    cross-entropy needs only differences of cosines; `pull`, the weight of 1 - the cosine to the own
    name, makes a token's embedding consist mostly of its name.
    """
    own = functional.normalize(tokens[pairs.image, pairs.guess].float(), dim=-1)
    cosines = own @ functional.normalize(names, dim=-1).T
    wanted = classes[pairs.target]
    entropy = functional.cross_entropy(cosines * sharpness, wanted)
    return entropy + pull * (1 - cosines.gather(1, wanted[:, None])).mean()


def _cost(
    given: Float[Tensor, "b m 4"],
    logits: Float[Tensor, "b m"],
    boxes: Float[Tensor, "t 4"],
    settings: TokenLossSettings,
) -> Float[Tensor, "b m t"]:
    given, logits = given.detach(), logits.detach()
    centre, size = _centred(boxes)
    cost = settings.centre * torch.cdist(given[..., :2], centre.expand(len(given), -1, -1), 1)
    cost = cost - settings.objectness * logits.sigmoid()[..., None]
    if settings.box:
        cost = cost + settings.box * torch.cdist(given[..., 2:], size.expand(len(given), -1, -1), 1)
    if settings.giou:
        cost = cost - settings.giou * overlap(corners(given)[:, :, None], boxes)[1]
    return cost


def _centred(boxes: Float[Tensor, "t 4"]) -> tuple[Float[Tensor, "t 2"], Float[Tensor, "t 2"]]:
    low, high = boxes[:, :2], boxes[:, 2:]
    return (low + high) / 2, high - low
