"""LM4LV as a method: a language model continues an image's features, one after the other.

Zheng et al., "LM4LV: A Frozen Large Language Model for Low-level Vision Tasks",
https://arxiv.org/abs/2405.15734.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from frostbench.baselines.lm4lv.card import CARD, LORA_CARD
from frostbench.baselines.lm4lv.linear import LinearMaps
from frostbench.baselines.lm4lv.model import Adapters, AdapterSettings, task_of
from frostbench.baselines.lm4lv.weights import Trained, has_linear, load_all
from frostbench.baselines.lm4lv.wording import pieces
from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.backbones.checksum import checksum
from frostbench.plugins.backbones.mae import MAE
from frostbench.plugins.contract.completions import Regressed
from frostbench.plugins.contract.method import Method, Setup, Tokens, Waves, refusal
from frostbench.plugins.contract.predictions import ImagePrediction, Prediction
from frostbench.plugins.contract.prompts import Prompt, Regress
from frostbench.plugins.contract.requests import Reconstruct, Request, Restore
from frostbench.plugins.contract.tokens import Continuous, VisualTokens
from frostbench.plugins.host.settings import read_settings
from frostbench.plugins.parts.tokenizing.fingerprint import fingerprint
from frostbench.plugins.parts.tokenizing.one_by_one import by_row
from frostbench.plugins.parts.tokenizing.resizing import resized

FEATURES = "features"
NO_LINEAR = (
    "was converted from official files, which hold no linear map to stand in place of the language "
    "model; a training of ours fits one beside its adapters"
)


@dataclass(frozen=True)
class LM4LVSettings:
    """No settings: everything was fixed by the training, and is stored with its weights."""


class LM4LV(Method):
    """Features of a masked autoencoder, restored by the language model one at a time."""

    card = CARD

    def __init__(
        self,
        trained: Sequence[Trained],
        language: CausalLM,
        mae: MAE,
        device: str = "cpu",
    ) -> None:
        """Put trained parts between a masked autoencoder and a language model.

        Raises:
            ValueError: adapters have another width than one of the two.
        """
        for one in trained:
            _check_widths(one.adapters.settings, language, mae)
            one.adapters.to(device)
            if one.linear is not None:
                one.linear.to(device)
        self._trained = tuple(trained)
        self._mae = mae
        self._device = device
        self._homes = {task: one for one in trained for task in one.adapters.settings.tasks}

    @classmethod
    def build(cls, setup: Setup) -> "LM4LV":
        """Load the pack's weights."""
        trained = load_all(setup.folder(cls.card.name))
        read_settings(LM4LVSettings, setup.settings, f"method.{cls.card.name}")
        llm, mae = setup.backbones.get("llm"), setup.backbones.get("mae")
        return cls(trained, llm, mae, setup.device)

    @classmethod
    def lacks(cls, setup: Setup) -> Mapping[str, str]:
        """The linear map of `no_llm`, which official files do not hold."""
        without = setup.weights is not None and not has_linear(setup.weights)
        return {"no_llm": NO_LINEAR} if without else {}

    @classmethod
    def toy(cls) -> "LM4LV":
        """Random weights, images of 16x16, 17 features, for the kit's restorations."""
        from frostbench.plugins.kit import toys

        backbones = toys.backbones()
        language, mae = backbones.get("llm"), backbones.get("mae")
        tasks = ("deblurring", "denoising", "rotation/90")
        with toys.seeded(), torch.no_grad():
            adapters = Adapters(AdapterSettings(mae.width, language.width, 2, tasks))
            # Feedback must not amplify a batch's rounding step by step.
            adapters.adapter.weight.mul_(0.1)
        return cls(
            [Trained(adapters.eval().requires_grad_(False), LinearMaps(len(tasks), mae.width))],
            language,
            mae,
        )

    @cached_property
    def fingerprint(self) -> str:
        """Of the masked autoencoder alone: trained parts come after its features."""
        return fingerprint(
            method=self.card.name, version=self.card.version, mae=checksum(self._mae.model)
        )

    def tokenize(self, images: Float[Tensor, "b 3 h w"], sizes: Int[Tensor, "b 2"]) -> VisualTokens:
        """Features of every patch, the image's own first; bicubic squares, as published.

        Raises:
            ValueError: an image is smaller than what the encoder reads.
        """
        squares = to_bicubic_square(images, sizes, self._mae.side)
        return VisualTokens({FEATURES: Continuous(by_row(self._mae.encode, squares).cpu())})

    def prompt(self, request: Request, tokens: Tokens) -> Waves:
        """One prompt, which the language model continues feature by feature.

        The outcome is the features of the restored image, `[n, d]`. In-context examples of a
        request are ignored: the task was learned in training.

        Raises:
            LookupError: nothing was trained for this restoration.
        """
        match request:
            case Reconstruct():
                return features_of(tokens, request)
            case Restore():
                one, task = self._home(request)
                features = features_of(tokens, request)
                return (yield from self._restore(one, task, features))
            case _:
                raise refusal(self.card, request)

    def decode(self, requests: Sequence[Request], outcomes: Sequence[Any]) -> list[Prediction]:
        """Images from features, through the decoder that was tuned to reconstruct whole images.

        Raises:
            ValueError: a feature is no finite number.
        """
        if not outcomes:
            return []
        features = torch.stack([_finite(outcome) for outcome in outcomes])
        decoded = by_row(self._mae.decode, features.to(self._mae.device)).clamp(0, 1).cpu()
        return [
            ImagePrediction(resized(image, *request.image.size))
            for request, image in zip(requests, decoded, strict=True)
        ]

    def control(self, name: str) -> Method:
        """`no_llm`: a linear map in place of the language model."""
        if name != "no_llm":
            return super().control(name)
        return _WithoutLLM(self)

    def _home(self, request: Restore) -> tuple[Trained, str]:
        """The training of a restoration, and the restoration's name there."""
        task = task_of(request.corruption, request.variant)
        if task not in self._homes:
            raise LookupError(
                f"{self.card.name} was trained to restore {', '.join(sorted(self._homes))}, and "
                f"not for {task!r}; `frostbench train lm4lv recipe.lm4lv.name=NAME "
                "recipe.lm4lv.corruptions=[...]` trains for more."
            )
        return self._homes[task], task

    def _restore(self, one: Trained, task: str, features: Float[Tensor, "n d"]) -> Waves:
        adapters = one.adapters
        with torch.no_grad():
            shown = adapters.adapter(features.to(self._device))
            asked = adapters.task(task)
        prompt = Prompt(
            query=pieces(adapters.settings.wording, shown, asked),
            ask=Regress(len(features), adapters.feed),
            adapter=one.lora,
        )
        (completion,) = yield [prompt]
        if not isinstance(completion, Regressed):
            raise TypeError(f"features were asked for, and {type(completion).__name__} came.")
        with torch.no_grad():
            return adapters.deadapter(completion.features.to(self._device)).cpu()


class LM4LVLoRA(LM4LV):
    """The published variant, with a LoRA adapter on the language model."""

    card = LORA_CARD


class _WithoutLLM(LM4LV):
    """The control `no_llm`: the same encoder and decoder, and a linear map between them."""

    def __init__(self, method: LM4LV) -> None:
        self._trained, self._homes = method._trained, method._homes
        self._mae, self._device = method._mae, method._device

    def _restore(self, one: Trained, task: str, features: Float[Tensor, "n d"]) -> Waves:
        if one.linear is None:
            raise LookupError(f"{task} {NO_LINEAR}.")
        row = one.adapters.settings.tasks.index(task)
        with torch.no_grad():
            return one.linear.through(row, features.to(self._device)).cpu()
        yield []  # a generator, which asks nothing


def features_of(tokens: Tokens, request: Reconstruct | Restore) -> Float[Tensor, "n d"]:
    """The features of the request's image."""
    part = tokens[request.image].parts[FEATURES]
    assert isinstance(part, Continuous)
    return part.features[0]


def to_bicubic_square(
    images: Float[Tensor, "b 3 h w"], sizes: Int[Tensor, "b 2"], side: int
) -> Float[Tensor, "b 3 {side} {side}"]:
    """A batch of padded images as squares: bicubic, the aspect ratio given up, as published.

    Raises:
        ValueError: an image is smaller than `side` in height or width; enlarged, it would be
            scored on details that nobody saw.
    """
    squares = []
    for image, (height, width) in zip(images, sizes.tolist(), strict=True):
        if min(height, width) < side:
            raise ValueError(
                f"lm4lv reads images of {side} x {side} pixels, and got one of {height} x "
                f"{width}; enlarge it first, or take a masked autoencoder for smaller ones."
            )
        own = image[:, :height, :width]
        if (height, width) != (side, side):
            own = functional.interpolate(own[None], (side, side), mode="bicubic", antialias=True)[0]
        squares.append(own.clamp(0, 1))
    return torch.stack(squares)


def _check_widths(sizes: AdapterSettings, language: CausalLM, mae: MAE) -> None:
    if sizes.llm_width != language.width:
        raise ValueError(
            f"adapters for {', '.join(sizes.tasks)} lead to embeddings of width "
            f"{sizes.llm_width}, and language model {language.identity or 'given'} has "
            f"{language.width}; train them for it with `frostbench train lm4lv`."
        )
    if sizes.width != mae.width:
        raise ValueError(
            f"adapters for {', '.join(sizes.tasks)} read features of width {sizes.width}, and "
            f"the masked autoencoder {mae.identity or 'given'} has {mae.width}."
        )


def _finite(outcome: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    if not bool(torch.isfinite(outcome).all()):
        raise ValueError("features of the restored image are not finite numbers.")
    return outcome
