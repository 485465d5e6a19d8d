"""What F-LMM's frozen models return for a request, before the heads make masks of it."""

from dataclasses import dataclass
from math import isqrt

from jaxtyping import Bool, Float
from torch import Tensor

from frostbench.plugins.contract.tokens import Continuous, VisualTokens

PART = "sam"  # the name of SAM's embedding among the visual tokens


@dataclass(frozen=True, eq=False)
class PhraseFeatures:
    """The merged attention of phrases' tokens to an image, and their hidden states; on the CPU."""

    rows: Float[Tensor, "n channels keys"]
    hidden: tuple[Float[Tensor, "layers _k d"], ...]


@dataclass(frozen=True, eq=False)
class MaskInputs:
    """The outcome of a request for masks: the phrases' features, and the image's embedding."""

    seen: PhraseFeatures
    embedding: Float[Tensor, "d side side"]


@dataclass(frozen=True, eq=False)
class Conversation:
    """An answer, where its phrases stand in it, and a mask for each, at the image's size."""

    text: str
    phrases: tuple[tuple[int, int], ...]
    masks: Bool[Tensor, "n h w"]


def embedding_of(tokens: VisualTokens) -> Float[Tensor, "d side side"]:
    """SAM's embedding of one image, out of its visual tokens."""
    part = tokens.parts[PART]
    assert isinstance(part, Continuous)
    rows = part.features[0]
    side = isqrt(len(rows))
    return rows.mT.reshape(-1, side, side)
