"""Weights in fewer bits, for files that a repository keeps."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from frostbench.plugins.backbones import weights
from frostbench.plugins.contract.converter import Precision as Precision

SCALE = ".scale"
FEWEST = 1024  # numbers in a tensor; below, a byte each saves too little to be worth the rounding
LEVELS = 127


def compact(tensors: Mapping[str, Tensor], precision: Precision) -> dict[str, Tensor]:
    """Tensors as they are ("full"), in half precision, or, with "byte", large ones in 8 bits each.

    A tensor of two axes or more is then kept as whole numbers from -127 to 127 and one scale for
    each of its rows (`NAME.scale`, float32), so that a row's largest value loses nothing and the
    others at most 1/254 of it. Small tensors, and those of one axis, stay in half precision.

    Raises:
        ValueError: a value is not finite, or too large for half precision, or a tensor is one of
            8-bit numbers already.
    """
    kept: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if tensor.dtype == torch.int8:
            raise ValueError(f"{name} is in 8 bits already: not stored, it would seem rounded.")
        if precision == "full" or not tensor.is_floating_point():
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
    """What `compact` was given, as far as it was kept; floating-point tensors in float32.

    Raises:
        ValueError: a tensor kept in 8 bits has no scale, or not one for each of its rows.
    """
    full: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if tensor.dtype == torch.int8:
            full[name] = _unscaled(name, tensor, tensors.get(name + SCALE))
        elif not (name.endswith(SCALE) and _is_bytes(tensors, name)):
            full[name] = tensor.float() if tensor.is_floating_point() else tensor
    return full


def write(path: Path, tensors: Mapping[str, Tensor], precision: Precision = "byte") -> None:
    """Write what `compact` keeps of the tensors as safetensors.

    Raises:
        ValueError: a value cannot be stored in that precision.
    """
    weights.write(path, compact(tensors, precision))


def read(path: Path) -> dict[str, Tensor]:
    """The tensors that `write` was given, as far as they were kept; see `expanded`.

    Raises:
        ValueError: the file is missing or damaged; the message names it.
    """
    tensors = weights.read(path)
    try:
        return expanded(tensors)
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error} Get it again.") from error


def names(path: Path) -> list[str]:
    """The names in a safetensors file, which its first bytes tell.

    Raises:
        ValueError: it is none.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return list(file.keys())
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is cut short or no safetensors file: {error}.") from error


def in_bytes(path: Path) -> bool:
    """Whether a safetensors file keeps a tensor in 8 bits, which its first bytes tell."""
    with safe_open(path, framework="pt") as file:
        return any(file.get_slice(name).get_dtype() == "I8" for name in file.keys())  # noqa: SIM118


@torch.no_grad()
def rounded(module: nn.Module, precision: Precision = "byte") -> None:
    """Round a module's weights to what `write` stores, so that figures are those of the file.

    Raises:
        ValueError: a value cannot be stored in that precision; the module is then unchanged.
    """
    state = module.state_dict()
    kept = expanded(compact(state, precision))
    for name, tensor in state.items():
        tensor.copy_(kept[name])


def _unscaled(name: str, tensor: Tensor, scale: Tensor | None) -> Tensor:
    rows = tensor.flatten(1)
    if scale is None or scale.shape != rows.shape[:1]:
        found = "none" if scale is None else f"one of shape {tuple(scale.shape)}"
        raise ValueError(
            f"{name} is kept in 8 bits and wants {name + SCALE}, a scale for each of its "
            f"{len(rows)} rows; there is {found}."
        )
    return (rows.float() * scale.float()[:, None]).view(tensor.shape)


def _is_bytes(tensors: Mapping[str, Tensor], name: str) -> bool:
    owner = tensors.get(name.removesuffix(SCALE))
    return owner is not None and owner.dtype == torch.int8


def _check(name: str, tensor: Tensor) -> None:
    if not bool(tensor.isfinite().all()):
        raise ValueError(f"{name} holds values that half precision cannot: not stored.")
