"""SPAE's semantic loss: it moves upper layers towards words that fit the image by CLIP."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from frostbench.plugins.parts.training.processes import chosen


@dataclass(frozen=True)
class SemanticSettings:
    """Which words guide a layer.

    Attributes:
        thresholds: For each guided layer, from the first on, the least score of a candidate word
            (rho; unverified).
        temperature: What squared distances are divided by before the softmax; 1 in the formula
            (unverified), the square root of the codes' width as an ablation.
        templates: Texts around a word for CLIP, with `{}` where the word goes; a word's feature is
            their mean. Empty stands for the 80 of OpenAI's ImageNet evaluation (unverified).
    """

    thresholds: tuple[float, ...] = (0.98, 0.95, 0.90, 0.85, 0.80)
    temperature: float = 1.0
    templates: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not all(0 <= threshold <= 1 for threshold in self.thresholds):
            raise ValueError(f"thresholds lie between 0 and 1, not {self.thresholds}.")
        if self.temperature <= 0:
            raise ValueError(f"a temperature is positive, not {self.temperature}.")


def scores(
    images: Float[Tensor, "b d"], words: Float[Tensor, "words d"]
) -> Float[Tensor, "b words"]:
    """How well each word fits each image, by CLIP's features; 0 to 1 over each image's words.

    The best word of an image scores 1, so that no pool is ever empty.
    """
    products = functional.normalize(images.float()) @ words.T.float()
    least, most = products.amin(1, keepdim=True), products.amax(1, keepdim=True)
    return (products - least) / (most - least).clamp(min=torch.finfo(torch.float32).tiny)


def pool(scored: Float[Tensor, "b words"], threshold: float) -> Bool[Tensor, "b words"]:
    """The words that score at least `threshold`, and the best word in any case."""
    return scored >= torch.minimum(scored.amax(1, keepdim=True), scored.new_tensor(threshold))


def semantic_loss(
    queries: Sequence[Float[Tensor, "b _n d"]],
    codebook: Float[Tensor, "words d"],
    scored: Float[Tensor, "b words"],
    settings: SemanticSettings,
) -> Float[Tensor, ""]:
    """Cross-entropy of words drawn from the pools, by distance from a layer's queries.

    For each token of a guided layer one word is drawn uniformly from the image's pool; the
    softmax is over minus the squared distances between query and codes. Means over images and
    tokens, then over layers. The gradient goes to the encoder alone, in float32.
    """
    table = codebook.detach().float()
    losses = []
    with torch.autocast(table.device.type, enabled=False):
        lengths = table.square().sum(1)
        for query, threshold in zip(queries, settings.thresholds, strict=False):
            count = query.shape[1]
            drawn = chosen(pool(scored, threshold).float(), count)
            flat = query.float().flatten(0, 1)
            # |q|² is left out: it is the same for every word.
            far = torch.addmm(lengths, flat, table.T, alpha=-2)
            losses.append(functional.cross_entropy(-far / settings.temperature, drawn.flatten()))
    return torch.stack(losses).mean()
