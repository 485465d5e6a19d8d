"""Sameness: whether two values of the contract are equal, tensors and all."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass

import torch
from torch import Tensor

TOLERANCE = 1e-5  # for floating-point tensors: the rounding of a pass in another batch


def same(one: object, other: object) -> bool:
    """Whether two values are equal: plain values, sequences, mappings, dataclasses, tensors.

    Floating-point tensors may differ by `TOLERANCE`; NaN must stand at the same places in both.
    """
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        if one.shape != other.shape or one.dtype != other.dtype:
            return False
        if not one.is_floating_point():
            return torch.equal(one, other)
        return torch.allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
    if type(one) is not type(other):
        return False
    if is_dataclass(one) and is_dataclass(other):
        pairs = ((getattr(one, f.name), getattr(other, f.name)) for f in fields(one) if f.compare)
        return all(same(a, b) for a, b in pairs)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)
