"""What a training would cost, counted on networks without numbers (see `numberless`)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from frostbench.plugins.contract.recipe import DryRun, Workshop

NOTES = (
    "Work counts matrix products, convolutions and attention, as torch does; all else is a small "
    "part of it.",
    "Memory kept for gradients is what autograd saves in the largest pass; workspaces, "
    "fragmentation and the process's own context come on top.",
)


@dataclass(frozen=True)
class Phase:
    """A part of a step over a share of the batch; if it returns a loss, gradients are taken.

    `times` is how often it is computed in a step, where that is not once for each share.
    """

    compute: Callable[[], Tensor | None]
    times: int | None = None


def counted(
    workshop: Workshop,
    steps: int,
    batch: int,
    phases: Mapping[str, Phase],
    *,
    trained: Mapping[str, nn.Module],
    frozen: Mapping[str, nn.Module],
    averaged: bool = False,
    notes: tuple[str, ...] = (),
) -> DryRun:
    """A dry run of Adam over all parameters of the `trained` modules that ask for gradients.

    The other parameters of these modules count as frozen.
    """
    learned = {name: _numbers(module, asked=True) for name, module in trained.items()}
    still = {name: _numbers(module, asked=False) for name, module in {**trained, **frozen}.items()}
    moved = [one for module in trained.values() for one in module.parameters() if one.requires_grad]
    takes = _bytes(moved)
    everything = [*trained.values(), *frozen.values()]
    work: dict[str, int] = {}
    kept = 0
    shares = workshop.accumulate
    for name, phase in phases.items():
        flops, has_gradient = _work(phase.compute)
        saved = _kept(phase.compute, everything) if has_gradient else 0
        work[name] = flops * (shares if phase.times is None else phase.times)
        kept = max(kept, saved)
    return DryRun(
        steps=steps,
        batch=batch,
        trained={name: count for name, count in learned.items() if count},
        frozen={name: count for name, count in still.items() if count},
        bytes_={
            "weights": sum(_bytes([*m.parameters(), *m.buffers()]) for m in everything),
            "gradients": takes,
            "optimiser": 2 * takes,
            **({"average": takes} if averaged else {}),
        },
        kept=kept,
        work=work,
        notes=(*notes, *NOTES),
    )


def _work(compute: Callable[[], Tensor | None]) -> tuple[int, bool]:
    """The operations of a pass and of its gradient, and whether it has one."""
    # Attention split into its parts, which are counted on every device alike.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        loss = compute()
        if loss is not None:
            loss.backward()  # type: ignore[no-untyped-call]
    return int(counter.get_total_flops()), loss is not None


def _kept(compute: Callable[[], Tensor | None], modules: Iterable[nn.Module]) -> int:
    """The bytes that a pass keeps for its gradient, without the networks' own tensors."""
    own = {
        one.untyped_storage()._cdata
        for module in modules
        for one in (*module.parameters(), *module.buffers())
    }
    saved: dict[int, Any] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            saved[storage._cdata] = storage  # held, so that its id is not given to another object
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        compute()
    return sum(storage.nbytes() for storage in saved.values())


def _numbers(module: nn.Module, *, asked: bool) -> int:
    return sum(one.numel() for one in module.parameters() if one.requires_grad is asked)


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(one.numel() * one.element_size() for one in tensors)
