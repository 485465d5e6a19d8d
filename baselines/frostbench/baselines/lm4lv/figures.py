"""PSNR of restored validation images, for the card of a training."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from frostbench.baselines.lm4lv.method import LM4LV
from frostbench.baselines.lm4lv.weights import Trained
from frostbench.plugins.contract.engine import UnanswerableError
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.method import Backbones, Method
from frostbench.plugins.contract.predictions import ImagePrediction
from frostbench.plugins.contract.recipe import Workshop
from frostbench.plugins.contract.requests import NoContext, Reconstruct, Request, Restore
from frostbench.plugins.engine import FrozenEngine
from frostbench.plugins.engine.answer import answer
from frostbench.plugins.parts.autoencoder.reconstruction import mean_psnr


def figures(
    workshop: Workshop, backbones: Backbones, trained: Trained, count: int
) -> dict[str, float]:
    """Mean PSNR in dB of `count` validation images for each task, and of its baselines.

    Raises:
        ValueError: an image could not be restored.
    """
    pairs = workshop.data.get("pairs")
    method = LM4LV(
        [trained],
        backbones.get("llm"),
        backbones.get("mae"),
        workshop.device,
    )
    measured: dict[str, float] = {}
    for task in trained.adapters.settings.tasks:
        corruption, _, variant = task.partition("/")
        before, after = pairs.batch(
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
    try:
        made = answer(method, requests, FrozenEngine(backbones))
    except UnanswerableError as error:
        raise ValueError(f"the training cannot be measured: {error}") from error
    return torch.stack([one.pixels for one in made if isinstance(one, ImagePrediction)])
