"""Frozen means frozen: digests of every number in a network."""

import hashlib
import json
from collections.abc import Mapping

import torch
from torch import Tensor, nn

CHUNK = 1 << 26  # bytes brought to the host at a time


def fingerprints(module: nn.Module) -> dict[str, str]:
    """SHA-256 of every parameter and buffer by name, buffers that are not saved included."""
    tensors = tensors_of(module)
    return {name: _digest(tensors[name]) for name in sorted(tensors)}


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """Every parameter and buffer by name; a shared one by the first of its names."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def checksum(module: nn.Module) -> str:
    """One SHA-256 over all of `fingerprints`, independent of the order of modules."""
    return hashlib.sha256(json.dumps(fingerprints(module), sort_keys=True).encode()).hexdigest()


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """The names that have another digest, are gone, or are new, in order."""
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))


@torch.no_grad()
def _digest(tensor: Tensor) -> str:
    state = hashlib.sha256(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
    flat = tensor.detach().contiguous().reshape(-1)
    numbers = max(1, CHUNK // max(1, flat.element_size()))
    for start in range(0, flat.numel(), numbers):
        part = flat[start : start + numbers].cpu()
        state.update(part.view(torch.uint8).numpy().data)
    return state.hexdigest()
