"""Rehearsals of a training: its first two steps and its last, counted while they are computed."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from frostbench.plugins.contract.recipe import StepCost


class _Calls(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts operators that compute; views of tensors cost nothing."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        returned = [one.alias_info for one in func._schema.returns]
        self.count += any(alias is None or alias.is_write for alias in returned)
        return func(*args, **(kwargs or {}))


def rehearsed(
    step: Callable[[int], Mapping[str, float]], steps: int, parts: Mapping[str, object]
) -> tuple[dict[str, float], StepCost]:
    """The losses of the last step, and the larger counts of the second and the last.

    The first one, which may prepare what others use, counts only where it is the only one.
    """
    losses: Mapping[str, float] = {}
    work, calls = 0, 0
    begun = time.perf_counter()
    tried = taken(steps)
    for index in tried:
        with _Calls() as counter, FlopCounterMode(display=False) as operations:
            losses = step(index)
        if index or steps == 1:
            work = max(work, int(operations.get_total_flops()))
            calls = max(calls, counter.count)
    seconds = (time.perf_counter() - begun) / len(tried)
    return dict(losses), StepCost(trained(parts), work, calls, seconds)


def taken(steps: int) -> list[int]:
    """The steps of a rehearsal."""
    return sorted({0, min(1, steps - 1), steps - 1})


def trained(parts: Mapping[str, object]) -> int:
    """How many numbers the optimisers among the parts move."""
    moved = {
        id(parameter): parameter.numel()
        for part in parts.values()
        if isinstance(part, torch.optim.Optimizer)
        for group in part.param_groups
        for parameter in group["params"]
    }
    return sum(moved.values())
