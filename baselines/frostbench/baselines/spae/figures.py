"""How well a trained pyramid describes and reconstructs images, layer by layer."""

from collections.abc import Callable, Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from frostbench.baselines.spae.model import SPAE
from frostbench.plugins.parts.autoencoder.reconstruction import psnr
from frostbench.plugins.parts.autoencoder.training import perplexity


@torch.no_grad()
def measured(
    model: SPAE,
    score: Callable[[Tensor], Tensor],
    batches: Iterable[Float[Tensor, "b 3 h w"]],
    guided: int,
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Figures, and sentences that a reader of them must know.

    The mean PSNR in dB from the first layers, how many codes each layer uses, and their perplexity.
    For the `guided` layers: the mean score (0 to 1, by CLIP) of an image's words, and that of the
    next image's words.
    """
    model.eval()
    depths = range(1, len(model.layers) + 1)
    decibels: list[list[Tensor]] = [[] for _ in depths]
    chosen: list[list[Tensor]] = [[] for _ in depths]
    scored: list[Tensor] = []
    count = 0
    for images in batches:
        layers = model.encode(images)
        scored.append(score(images))
        for depth in depths:
            decibels[depth - 1].append(psnr(images, model.decode(layers[:depth])))
            chosen[depth - 1].append(layers[depth - 1].flatten(1))
        count += len(images)
    figures = {"pictures": float(count), "words": float(model.settings.words)}
    of_all = torch.cat(scored)
    for depth in depths:
        ids = torch.cat(chosen[depth - 1])
        figures[f"psnr from {depth} layers"] = float(torch.cat(decibels[depth - 1]).mean())
        figures[f"codes used in layer {depth}"] = float(torch.unique(ids).numel())
        figures[f"perplexity of layer {depth}"] = perplexity(ids)
        if depth <= guided:
            own, other = of_all.gather(1, ids), of_all.gather(1, ids.roll(1, 0))
            figures[f"score of layer {depth}, own words"] = float(own.mean())
            figures[f"score of layer {depth}, another's words"] = float(other.mean())
    figures["psnr"] = figures[f"psnr from {len(model.layers)} layers"]
    return figures, notes(model)


def notes(model: SPAE) -> tuple[str, ...]:
    """Cautions about the figures."""
    said = ["Words score by the pack's CLIP, which also guided the training."]
    width = model.settings.code_projection
    if width is not None:
        said.append(
            "The codebook is the language model's input embeddings, standardised and seen through "
            f"a projection to width {width} that is fitted to the features; the paper's has none."
        )
    if model.settings.depth_dropout:
        said.append(
            "Images from the first layers mean something because of random depth dropout in the "
            "training, and cells without a code show the nearest one of the last layer; the paper "
            "says neither."
        )
    return tuple(said)
