"""The base class of methods that put an image's vectors before the text."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cached_property
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.backbones.checksum import checksum
from frostbench.plugins.contract.method import Backbones, Setup
from frostbench.plugins.contract.prompts import Piece, Vectors
from frostbench.plugins.contract.tokens import Continuous, VisualTokens
from frostbench.plugins.host.settings import read_settings
from frostbench.plugins.parts.prefix.features import features
from frostbench.plugins.parts.prefix.map import PrefixMap, PrefixSettings
from frostbench.plugins.parts.prompting.shown import ShownMethod, TextPrompting
from frostbench.plugins.parts.tokenizing.fingerprint import fingerprint
from frostbench.plugins.parts.tokenizing.one_by_one import by_row
from frostbench.plugins.parts.training import folder as stored

PART = "prefix"
ENCODER = "clip"


class PrefixMethod(ShownMethod):
    """An image becomes vectors of the language model's width: an encoder's features through a map.

    A subclass gives its card, with the backbones "llm" and `encoder` and with `discrete=False`, and
    its `toy`, which is `cls.between(toys.backbones())`. It gets Classify, Caption and Answer.
    `defaults` holds the map's default settings; a folder of weights overrides them. Prompts are set
    in a run like those of methods with discrete tokens.

    Attributes:
        encoder: The role of the image encoder, of the kind open_clip or timm.
        defaults: What a folder's `config.json` leaves out.
    """

    encoder: ClassVar[str] = ENCODER
    defaults: ClassVar[PrefixSettings] = PrefixSettings()
    language: CausalLM

    def __init__(
        self,
        map: PrefixMap,
        language: CausalLM,
        encoder: Any,
        prompting: TextPrompting | None = None,
        device: str = "cpu",
    ) -> None:
        """Put a trained map between an encoder and a language model.

        Raises:
            ValueError: its vectors are not of the language model's width.
        """
        name, wide = self.card.name, map.settings.llm_width
        if wide != language.width:
            raise ValueError(
                f"{name}'s map makes vectors of {wide} numbers, and the language model's "
                f"embeddings have {language.width}; use the one that it was trained with."
            )
        self._map = map.to(device).eval().requires_grad_(False)
        self._encoder = encoder
        self.language = language
        self.prompting = prompting or map.settings.prompting

    @classmethod
    def build(cls, setup: Setup) -> "PrefixMethod":
        """Load the map of the pack or of `method.NAME.weights`.

        Raises:
            ValueError: there is none, or settings or sizes do not fit.
        """
        map = stored.load(PrefixMap, cls.defaults, setup.folder(cls.card.name))
        where = f"method.{cls.card.name}"
        prompting = read_prompting(map.settings.prompting, setup.settings, where)
        language, encoder = (setup.backbones.get(role) for role in ("llm", cls.encoder))
        return cls(map, language, encoder, prompting, setup.device)

    @classmethod
    def between(cls, backbones: Backbones) -> "PrefixMethod":
        """A method with the same random weights every time, between the kit's toys; for `toy`."""
        language, encoder = backbones.get("llm"), backbones.get(cls.encoder)
        wide = 32 if cls.defaults.pooling == "cells" else 16  # of the toy CLIP
        sizes = replace(cls.defaults, width=wide, llm_width=language.width)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return cls(PrefixMap(sizes), language, encoder)

    @cached_property
    def fingerprint(self) -> str:
        """Of the encoder and the map."""
        return fingerprint(
            method=self.card.name,
            version=self.card.version,
            encoder=checksum(self._encoder.model),
            map=checksum(self._map),
            pooling=self._map.settings.pooling,
        )

    def tokenize(self, images: Float[Tensor, "b 3 h w"], sizes: Int[Tensor, "b 2"]) -> VisualTokens:
        """The vectors of each image, in the order of its features.

        Raises:
            ValueError: the encoder's features are of another width than the map's.
        """
        settings = self._map.settings
        seen = features(self._encoder, settings.pooling, images, sizes)
        if seen.shape[2] != settings.width:
            raise ValueError(
                f"{self.card.name}'s map reads features of {settings.width} numbers, and those of "
                f"{self._encoder.identity} ({settings.pooling}) have {seen.shape[2]}; use the "
                "encoder that it was trained with."
            )
        device = next(self._map.parameters()).device
        return VisualTokens({PART: Continuous(by_row(self._map, seen.to(device)).cpu())})

    def shown(self, tokens: VisualTokens) -> tuple[Piece, ...]:
        """The vectors alone."""
        part = tokens.parts[PART]
        assert isinstance(part, Continuous)
        return (Vectors(part.features[0]),)


def read_prompting(
    default: TextPrompting, values: Mapping[str, object], where: str
) -> TextPrompting:
    """The settings of prompts as a user gives them; those left out are as in `default`.

    Raises:
        ValueError: a name or a value is unknown.
    """
    known = asdict(default)
    merged = {
        name: {**known[name], **value} if isinstance(value, Mapping) and name in known else value
        for name, value in values.items()
    }
    return read_settings(TextPrompting, {**known, **merged}, where)
