"""Features of images from a frozen encoder of the kind `open_clip` or `timm`."""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor

from frostbench.plugins.backbones.clip import Clip
from frostbench.plugins.backbones.timm_encoder import TimmEncoder
from frostbench.plugins.parts.tokenizing.one_by_one import by_row

FeaturePooling: TypeAlias = Literal["cells", "pooled"]
"""One feature for each grid cell, before the encoder pools them, or one for the whole image."""


def features(
    encoder: Any,
    pooling: FeaturePooling,
    images: Float[Tensor, "b 3 h w"],
    sizes: Int[Tensor, "b 2"],
) -> Float[Tensor, "b n d"]:
    """The encoder's features of images in [0, 1], each without its padding; cells row by row.

    Raises:
        ValueError: it is an encoder of another kind.
    """
    encode = _encode(encoder, pooling)
    if bool((sizes == sizes.new_tensor(images.shape[2:])).all()):
        return by_row(encode, images)
    pairs = zip(images, sizes.tolist(), strict=True)
    return torch.cat([encode(image[None, :, :h, :w]) for image, (h, w) in pairs])


def _encode(encoder: Any, pooling: FeaturePooling) -> Callable[[Tensor], Tensor]:
    match encoder, pooling:
        case Clip(), "cells":
            return encoder.encode_cells
        case Clip(), "pooled":
            return lambda images: encoder.encode_image(images)[:, None]
        case TimmEncoder(), "cells":
            return lambda images: encoder.encode(images)[:, encoder.class_tokens :]
        case TimmEncoder(), "pooled":
            return lambda images: encoder.encode_pooled(images)[:, None]
        case _:
            raise ValueError(
                f"a {type(encoder).__name__} gives no features of images; take a backbone of the "
                "kind open_clip or timm."
            )
