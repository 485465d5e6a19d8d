"""The map from an encoder's features to a language model's embeddings: all that is trained."""

from dataclasses import dataclass, field
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from frostbench.plugins.parts.prefix.features import FeaturePooling
from frostbench.plugins.parts.prompting.shown import TextPrompting


@dataclass(frozen=True)
class PrefixSettings:
    """What a map is made of, and the wording that it was trained in.

    Attributes:
        width: Length of an encoder's feature.
        llm_width: Length of the language model's embeddings.
        pooling: Which features are mapped.
        vectors: Vectors made of each feature.
        hidden: Widths of layers between, a tanh after each (ClipCap); none for a linear map.
        prompting: Settings of the prompts.
    """

    width: int = 768
    llm_width: int = 256
    pooling: FeaturePooling = "cells"
    vectors: int = 1
    hidden: tuple[int, ...] = ()
    prompting: TextPrompting = field(default_factory=TextPrompting)

    def __post_init__(self) -> None:
        if min(self.width, self.llm_width, self.vectors, *self.hidden) < 1:
            raise ValueError(
                "width, llm_width, vectors and hidden are 1 or more, not "
                f"{self.width}, {self.llm_width}, {self.vectors}, {self.hidden}."
            )


class PrefixMap(nn.Module):
    """Linear layers, with a tanh between two."""

    def __init__(self, settings: PrefixSettings) -> None:
        super().__init__()
        self.settings = settings
        widths = (settings.width, *settings.hidden, settings.llm_width * settings.vectors)
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))

    def forward(self, features: Float[Tensor, "b n d"]) -> Float[Tensor, "b m width"]:
        """The vectors of each feature in turn."""
        found = features
        for number, layer in enumerate(self.layers):
            found = layer(torch.tanh(found) if number else found)
        return found.reshape(len(features), -1, self.settings.llm_width)
