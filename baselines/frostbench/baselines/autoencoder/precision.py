"""Weights in fewer bits, for files that a repository keeps."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

import torch
from torch import Tensor

Precision: TypeAlias = Literal["half", "byte"]

SCALE = ".scale"
FEWEST = 1024  # numbers of a tensor, below which a byte each saves nothing worth the rounding
LEVELS = 127


def compact(tensors: Mapping[str, Tensor], precision: Precision) -> dict[str, Tensor]:
    """Floating-point tensors in half precision, or, with "byte", large ones in 8 bits a number.

    A tensor of two axes or more is then kept as whole numbers from -127 to 127 and one scale for
    each of its rows (`NAME.scale`, float32), so that a row's largest value loses nothing and the
    others at most 1/254 of it. Small tensors, and those of one axis, stay in half precision.

    Raises:
        ValueError: a value is not finite, or too large for half precision.
    """
    kept: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            kept[name] = tensor
        elif precision == "byte" and tensor.ndim > 1 and tensor.numel() >= FEWEST:
            rows = tensor.detach().float().flatten(1)
            scale = rows.abs().amax(1, keepdim=True) / LEVELS
            whole = (rows / scale.clamp(min=torch.finfo(torch.float32).tiny)).round()
            _check(name, whole)
            kept[name] = whole.to(torch.int8).view(tensor.shape)
            kept[name + SCALE] = scale[:, 0]
        else:
            kept[name] = tensor.half()
            _check(name, kept[name])
    return kept


def expanded(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `compact` was given, as far as it was kept; floating-point tensors in float32."""
    full: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        scale = tensors.get(name + SCALE)
        if scale is not None and tensor.dtype == torch.int8:
            rows = tensor.flatten(1).float() * scale.float()[:, None]
            full[name] = rows.view(tensor.shape)
        elif not (name.endswith(SCALE) and _is_bytes(tensors, name)):
            full[name] = tensor.float() if tensor.is_floating_point() else tensor
    return full


def _is_bytes(tensors: Mapping[str, Tensor], name: str) -> bool:
    owner = tensors.get(name.removesuffix(SCALE))
    return owner is not None and owner.dtype == torch.int8


def _check(name: str, tensor: Tensor) -> None:
    if not bool(tensor.isfinite().all()):
        raise ValueError(f"{name} holds values that half precision cannot: not stored.")
