"""Cheap check that many tensors have not changed: a sample of each is compared.

Writes through torch are counted by torch itself. A write through `.data` or NumPy is not: some
bytes of every tensor, drawn once, are compared as well. `checksum` reads all.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

RUNS, RUN = 2, 32  # runs of each tensor, and numbers in a run; smaller tensors are read whole

_AS_NUMBERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64, 16: torch.int64}


class DrawnTensors:
    """Tensors by name as they stood when this was made.

    Attributes:
        bytes_read: Bytes that one look compares.
    """

    def __init__(self, named: Mapping[str, Tensor]) -> None:
        self._names = list(named)
        self._tensors = list(named.values())
        groups: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}
        self._owners: dict[tuple[torch.device, torch.dtype], list[str]] = {}
        for name, tensor in named.items():
            for run in _runs(name, tensor):
                key = run.device, run.dtype
                groups.setdefault(key, []).append(run)
                self._owners.setdefault(key, []).append(name)
        self._groups = groups
        self._counts, self._places = _counts(self._tensors), _places(self._tensors)
        self._shapes = _shapes(self._tensors)
        with torch.inference_mode(False), torch.no_grad():
            self._kept = {key: torch.cat(runs) for key, runs in groups.items()}
        self.bytes_read = sum(kept.numel() * kept.element_size() for kept in self._kept.values())

    def hold(self, *, thorough: bool = True) -> bool:
        """Whether nothing is seen to have changed; shapes and gradients where `thorough`."""
        same = _counts(self._tensors) == self._counts and _places(self._tensors) == self._places
        if thorough:
            same = same and _shapes(self._tensors) == self._shapes
        return same and all(
            torch.equal(torch.cat(runs), self._kept[key]) for key, runs in self._groups.items()
        )

    def changes(self) -> dict[str, str]:
        """A clause for each tensor that has changed, by its name, in the order of names."""
        said: dict[str, str] = {}
        now = zip(
            self._names,
            *(_counts(self._tensors), _places(self._tensors), _shapes(self._tensors)),
            *(self._counts, self._places, self._shapes),
            strict=True,
        )
        for name, count, place, shape, old_count, old_place, old_shape in now:
            if shape[-1] != old_shape[-1]:
                wants = "now asks for gradients" if shape[-1] else "asks for no gradient any more"
                said[name] = f"the tensor {name!r} {wants}"
            if place != old_place or shape[:-1] != old_shape[:-1]:
                said[name] = f"the tensor {name!r} was given other data"
            elif count != old_count:
                said[name] = f"the tensor {name!r} was written to"
        for key, runs in self._groups.items():
            parts = torch.split(self._kept[key], [len(run) for run in runs])
            for name, run, kept in zip(self._owners[key], runs, parts, strict=True):
                if not torch.equal(run, kept):
                    said.setdefault(name, f"the tensor {name!r} was written to")
        return {name: said[name] for name in sorted(said)}


def _counts(tensors: Sequence[Tensor]) -> list[int]:
    """How often torch has written to each tensor; it keeps no count for inference tensors."""
    try:
        return [tensor._version for tensor in tensors]
    except RuntimeError:
        return [-1 if tensor.is_inference() else tensor._version for tensor in tensors]


def _places(tensors: Sequence[Tensor]) -> list[int]:
    return [tensor.data_ptr() for tensor in tensors]


def _shapes(tensors: Sequence[Tensor]) -> list[tuple[Any, ...]]:
    return [
        (tensor.shape, tensor.stride(), tensor.dtype, tensor.requires_grad) for tensor in tensors
    ]


def _runs(name: str, tensor: Tensor) -> list[Tensor]:
    """The numbers of a tensor that are looked at, as integers over its own memory."""
    if tensor.device.type == "meta" or not tensor.numel():
        return []
    strides = zip(tensor.shape, tensor.stride(), strict=True)
    span = 1 + sum((size - 1) * stride for size, stride in strides)
    wide = 2 if tensor.element_size() == 16 else 1
    begin, span = tensor.storage_offset() * wide, span * wide
    draw = random.Random(name)
    share = span // RUNS
    places = [(0, span)]
    if span > RUNS * RUN:
        places = [(at * share + draw.randrange(share - RUN + 1), RUN) for at in range(RUNS)]
    with torch.inference_mode(False), torch.no_grad():
        numbers = torch.empty(0, dtype=_AS_NUMBERS[tensor.element_size()], device=tensor.device)
        storage = tensor.untyped_storage()
        return [
            numbers.detach().clone().set_(storage, begin + at, (count,), (1,))
            for at, count in places
        ]
