"""How well V2L's trained adapter restores images that nothing was trained on."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from frostbench.plugins.backbones.adapters import adapted
from frostbench.plugins.contract.engine import UnanswerableError
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.method import Backbones, Setup
from frostbench.plugins.contract.predictions import ImagePrediction
from frostbench.plugins.contract.prompts import Adapter
from frostbench.plugins.contract.recipe import Workshop
from frostbench.plugins.contract.requests import NoContext, Restore
from frostbench.plugins.contract.tokens import VisualTokens
from frostbench.plugins.engine import FrozenEngine
from frostbench.plugins.engine.answer import outcomes
from frostbench.plugins.parts.autoencoder.reconstruction import mean_psnr
from frostbench.plugins.parts.hiding import hide
from frostbench.v2l.masked_exercises import Exercises, Masking, answered
from frostbench.v2l.method import V2L

CORRUPTION = "masked"
ROWS = 32


def figures(
    workshop: Workshop,
    backbones: Backbones,
    folder: Path,
    held_out: Exercises,
    masking: Masking,
    restored: int,
) -> dict[str, float]:
    """Figures of the stored adapter, and in brackets of the frozen model alone.

    "loss" and "accuracy of the next" are of hidden cells, given the right words of all cells before
    them; "accuracy" and "psnr" are those of whole restorations, in which the model continues from
    its own words. "psnr [copy]" is the image with its grey cells, "psnr [mean]" with cells in the
    mean colour of what is visible, "psnr [ceiling]" the reconstruction of the clean image.
    """
    frozen = backbones.get("llm")
    under = adapted(frozen, Adapter("v2l_adapter", folder))
    measured: dict[str, float] = {}
    for name, lm in (("", under), (" [no adapter]", frozen)):
        lost, right = _next_words(lm.model, held_out)
        measured |= {f"loss{name}": lost, f"accuracy of the next{name}": right}
    # Other seeds than those of `held_out`, which are drawn by batch.
    images = workshop.data.get("images")
    drawn = images.batch("validation", restored, workshop.seed + 7_000_003)
    clean = torch.as_tensor(drawn, dtype=torch.float32)
    return measured | _restorations(workshop, backbones, folder, clean, masking)


@torch.inference_mode()
def _next_words(model: torch.nn.Module, exercises: Exercises) -> tuple[float, float]:
    """Mean loss and accuracy over batches; every exercise hides the same number of cells."""
    parts = torch.split(torch.arange(len(exercises)), ROWS)
    found = [answered(model, exercises, rows, bfloat16=False) for rows in parts]
    sizes = [len(rows) / len(exercises) for rows in parts]
    return (
        sum(float(loss) * size for (loss, _), size in zip(found, sizes, strict=True)),
        sum(right * size for (_, right), size in zip(found, sizes, strict=True)),
    )


def _restorations(
    workshop: Workshop,
    backbones: Backbones,
    folder: Path,
    clean: Float[Tensor, "b 3 h w"],
    masking: Masking,
) -> dict[str, float]:
    """Accuracy of hidden cells and mean PSNR of images, through the method itself."""
    height, width = clean.shape[2:]
    hidden = [masking.draw(height, width, seed) for seed in range(len(clean))]
    grey = torch.stack([hide(*pair) for pair in zip(clean, hidden, strict=True)])
    filled = torch.stack([_mean_filled(*pair) for pair in zip(clean, hidden, strict=True)])
    setup = Setup(
        backbones,
        workshop.pack / "v2l",
        {"masked": vars(masking.prompt)},
        workshop.device,
        {CORRUPTION: folder},
    )
    method, alone = V2L.build(setup), V2L.build(replace(setup, adapters={}))
    sizes = torch.tensor([[height, width]] * len(clean))
    shown, right = method.tokenize(grey, sizes).split(), method.tokenize(clean, sizes).split()
    requests = [
        Restore(f"image {seed}", Image(one), CORRUPTION, NoContext(), gone, seed)
        for seed, (one, gone) in enumerate(zip(grey, hidden, strict=True))
    ]
    measured = {
        "psnr [copy]": mean_psnr(clean, grey),
        "psnr [mean]": mean_psnr(clean, filled),
        "psnr [ceiling]": mean_psnr(clean, _images(method, requests, right)),
    }
    for name, asked in (("", method), (" [no adapter]", alone)):
        said = _restored(asked, requests, shown, FrozenEngine(backbones))
        measured[f"psnr{name}"] = mean_psnr(clean, _images(asked, requests, said))
        measured[f"accuracy{name}"] = _accuracy(method, said, right, hidden, masking)
    return measured


def _restored(
    method: V2L,
    requests: Sequence[Restore],
    shown: Sequence[VisualTokens],
    engine: FrozenEngine,
) -> list[VisualTokens]:
    """The tokens of every image after its prompts were answered.

    Raises:
        ValueError: an image could not be restored.
    """
    tokens = dict(zip((request.image for request in requests), shown, strict=True))
    try:
        return outcomes(method, requests, engine, tokens)
    except UnanswerableError as error:
        raise ValueError(f"the adapter cannot be measured: {error}") from error


def _images(
    method: V2L, requests: Sequence[Restore], tokens: Sequence[VisualTokens]
) -> Float[Tensor, "b 3 h w"]:
    """Images in [0, 1] of tokens, at the requests' size."""
    images = [one for one in method.decode(requests, tokens) if isinstance(one, ImagePrediction)]
    return torch.stack([one.pixels for one in images])


def _accuracy(
    method: V2L,
    said: Sequence[VisualTokens],
    right: Sequence[VisualTokens],
    hidden: Sequence[Bool[Tensor, "h w"]],
    masking: Masking,
) -> float:
    """The share of hidden cells that have the clean image's word."""
    hits = []
    for one, other, gone in zip(said, right, hidden, strict=True):
        grid, wanted = one.grid(method.grid_part)[0], other.grid(method.grid_part)[0]
        hits.append((grid == wanted)[masking.covered(gone, grid)])
    return float(torch.cat(hits).float().mean())


def _mean_filled(
    pixels: Float[Tensor, "3 h w"], hidden: Bool[Tensor, "h w"]
) -> Float[Tensor, "3 h w"]:
    """The image with hidden pixels in the mean colour of the visible ones."""
    colour = pixels[:, ~hidden].mean(1)
    return torch.where(hidden, colour[:, None, None], pixels)
