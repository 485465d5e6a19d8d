"""PSNR of restored validation images, for the card of a training."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from frostbench.baselines.lm4lv.method import LM4LV
from frostbench.baselines.lm4lv.weights import Trained
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.method import Backbones, Method
from frostbench.plugins.contract.predictions import ImagePrediction
from frostbench.plugins.contract.recipe import Workshop
from frostbench.plugins.contract.requests import NoContext, Reconstruct, Request, Restore
from frostbench.plugins.engine import FrozenEngine
from frostbench.plugins.engine.waves import drive
from frostbench.plugins.parts.autoencoder.reconstruction import mean_psnr


def figures(
    workshop: Workshop, backbones: Backbones, trained: Trained, count: int
) -> dict[str, float]:
    """Mean PSNR in dB of `count` validation images for each task, and of what stands beside it.

    Raises:
        ValueError: an image could not be restored.
    """
    assert workshop.pairs is not None
    method = LM4LV(
        [trained],
        backbones.get("llm"),
        backbones.get("mae"),
        workshop.device,
    )
    measured: dict[str, float] = {}
    for task in trained.adapters.settings.tasks:
        corruption, _, variant = task.partition("/")
        before, after = workshop.pairs.batch(
            corruption, "validation", count, workshop.seed + 7_000_003, variant
        )
        restore: list[Request] = [
            Restore(f"{task} {i}", Image(one), corruption, NoContext(), variant=variant)
            for i, one in enumerate(before)
        ]
        measured |= {
            f"psnr [{task}]": mean_psnr(after, _answers(method, restore, backbones)),
            f"psnr [{task}, no_llm]": mean_psnr(
                after, _answers(method.control("no_llm"), restore, backbones)
            ),
            f"psnr [{task}, copy]": mean_psnr(after, before),
            f"psnr [{task}, floor]": mean_psnr(after, _reconstructed(method, before, backbones)),
            f"psnr [{task}, ceiling]": mean_psnr(after, _reconstructed(method, after, backbones)),
        }
    return measured


def _reconstructed(
    method: Method, images: Float[Tensor, "b 3 h w"], backbones: Backbones
) -> Float[Tensor, "b 3 h w"]:
    requests: list[Request] = [Reconstruct(str(i), Image(one)) for i, one in enumerate(images)]
    return _answers(method, requests, backbones)


def _answers(
    method: Method, requests: Sequence[Request], backbones: Backbones
) -> Float[Tensor, "b 3 h w"]:
    """The method's images.

    Raises:
        ValueError: one could not be made.
    """
    images = torch.stack([request.image.pixels for request in requests])
    sizes = torch.tensor([request.image.size for request in requests])
    tokens = method.tokenize(images, sizes).split()
    waves = [
        method.prompt(request, {request.image: own})
        for request, own in zip(requests, tokens, strict=True)
    ]
    outcomes = drive(waves, FrozenEngine(backbones))
    failed = next((outcome.error for outcome in outcomes if outcome.error is not None), None)
    if failed is not None:
        raise ValueError(f"the training cannot be measured: {failed}")
    made = method.decode(requests, [outcome.value for outcome in outcomes])
    return torch.stack([one.pixels for one in made if isinstance(one, ImagePrediction)])
