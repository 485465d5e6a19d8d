"""The processes that train one model together, each on its share of every batch.

Started directly, a training is one process. `torchrun` and `accelerate launch` start several, which
accelerate connects (gloo between CPUs, NCCL between GPUs): every step has the same batch, however
many processes there are, cut into equal shares; gradients are averaged over shares, so that what is
learned does not depend on the number.
"""

import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from frostbench.plugins.contract.recipe import Workshop

T = TypeVar("T")

_SHARE: ContextVar[tuple[int, int]] = ContextVar("share", default=(0, 1))
"""A share of a batch: its number, counted from 0, and how many shares there are."""


@runtime_checkable
class Divisible(Protocol):
    """A source of batches that can give a part of a batch without the rest."""

    def part(self, step: int, number: int, parts: int) -> Any:
        """Part `number` of `parts` equal parts of a step's batch."""
        ...


class Processes:
    """This process and those beside it.

    Each computes `accumulate` shares of a batch, one after another, so that fewer images need to be
    held at once.

    Attributes:
        count: How many processes there are.
        rank: Which of them this one is; 0 logs and saves.
        parts: Shares of a batch.

    Raises:
        ValueError: the launcher asks for a precision whose gradients vanish without scaling.
    """

    def __init__(self, workshop: Workshop) -> None:
        from accelerate import (
            Accelerator,
            DistributedDataParallelKwargs,
            InitProcessGroupKwargs,
        )

        # Parameters unused in a step (a codebook, while features get noise) get no gradient.
        how = DistributedDataParallelKwargs(find_unused_parameters=True)
        # The others may wait for hours while the first process prepares.
        patient = InitProcessGroupKwargs(timeout=timedelta(days=2))
        on_cpu = not workshop.device.startswith("cuda")
        self._accelerator: Any = Accelerator(cpu=on_cpu, kwargs_handlers=[how, patient])
        if self._accelerator.mixed_precision not in ("no", "bf16"):
            raise ValueError(
                f"mixed precision {self._accelerator.mixed_precision} is not trained in; launch "
                "with bf16 or without any."
            )
        self.count: int = self._accelerator.num_processes
        self.rank: int = self._accelerator.process_index
        # Raised for 1x1 convolutions, whose two layouts are the same; it costs nothing.
        warnings.filterwarnings("ignore", message="Grad strides do not match bucket view")
        self._accumulate, self._kind = workshop.accumulate, workshop.device.partition(":")[0]
        self.parts = self.count * workshop.accumulate

    def shares(self, batches: Callable[[int], T], step: int) -> list[T]:
        """This process's shares of the batch of a step.

        Raises:
            ValueError: the batch cannot be cut into equal shares.
        """
        own = range(self.rank * self._accumulate, (self.rank + 1) * self._accumulate)
        if isinstance(batches, Divisible):
            return [batches.part(step, number, self.parts) for number in own]
        whole: Any = batches(step)
        return [cut(whole, number, self.parts) for number in own]

    def in_bfloat16(self, asked: bool) -> bool:
        """Whether settings or the launcher ask to compute in bfloat16 where it is safe."""
        return asked or bool(self._accelerator.mixed_precision == "bf16")

    def precision(self, *, bfloat16: bool) -> torch.autocast:
        """A context that computes in bfloat16 where that is safe and asked for."""
        return torch.autocast(self._kind, torch.bfloat16, enabled=self.in_bfloat16(bfloat16))

    def mean(self, value: Tensor) -> Tensor:
        """The mean of a tensor over processes, without a gradient."""
        if self.count == 1:
            return value.detach()
        return self._accelerator.reduce(value.detach().clone(), "mean")  # type: ignore[no-any-return]

    def gathered(self, values: Tensor) -> Tensor:
        """The rows of all processes, one after another; each has as many."""
        return values if self.count == 1 else self._accelerator.gather(values.contiguous())

    def means(self, values: dict[str, float]) -> dict[str, float]:
        """The mean of each number over processes; all have the same names."""
        if self.count == 1 or not values:
            return values
        own = torch.tensor(list(values.values()), dtype=torch.float64)
        shared = self.mean(own.to(self._accelerator.device))
        return dict(zip(values, shared.tolist(), strict=True))

    def wait(self) -> None:
        """Wait until all processes have come this far."""
        self._accelerator.wait_for_everyone()

    def first_alone(self) -> AbstractContextManager[None]:
        """A context that the first process enters before the others: it writes, they read."""
        return self._accelerator.main_process_first()  # type: ignore[no-any-return]

    def prepared(self, module: nn.Module) -> nn.Module:
        """The module, with gradients that are averaged over processes as they are computed."""
        return self._accelerator.prepare_model(module, device_placement=False)  # type: ignore[no-any-return]

    def apart(self, module: nn.Module) -> Any:
        """A context for all shares but the last, in which gradients stay in this process."""
        return self._accelerator.no_sync(module)

    def descend(self, loss: Tensor) -> None:
        """Add the gradient of a loss."""
        self._accelerator.backward(loss)

    def clip(self, trained: Sequence[Tensor], longest: float) -> None:
        """Shorten a gradient that is longer than this."""
        self._accelerator.clip_grad_norm_(trained, longest)


class _Pass(nn.Module):
    """Trained parameters in a module whose forward pass is any function of them."""

    def __init__(self, trained: Sequence[nn.Parameter]) -> None:
        super().__init__()
        self.trained = nn.ParameterList(trained)

    def forward(self, compute: Callable[[], Tensor]) -> Tensor:
        """The function's result."""
        return compute()


class Descent:
    """Gradients of some parameters, the same in all processes."""

    def __init__(self, processes: Processes, trained: Sequence[nn.Parameter]) -> None:
        self.trained = tuple(trained)
        self._processes = processes
        self._pass = processes.prepared(_Pass(self.trained))

    def backward(self, losses: Sequence[Callable[[], Tensor]]) -> None:
        """Add the gradient of the mean loss over all shares; `losses` are those of this process.

        Each is computed after the one before it has been freed.
        """
        first = self._processes.rank * len(losses)
        for number, compute in enumerate(losses):
            token = _SHARE.set((first + number, self._processes.parts))
            ends = number == len(losses) - 1
            try:
                with nullcontext() if ends else self._processes.apart(self._pass):
                    self._processes.descend(self._pass(compute) / len(losses))
            finally:
                _SHARE.reset(token)


def cut(whole: Any, number: int, parts: int) -> Any:
    """Part `number` of `parts` equal parts of something that can be sliced.

    >>> cut("abcdef", 1, 3)
    'cd'

    Raises:
        ValueError: it cannot be cut into equal parts.
    """
    size, left = divmod(len(whole), parts)
    if left:
        raise ValueError(
            f"a batch of {len(whole)} is not cut into {parts} equal shares (processes times "
            "accumulate); choose a batch that is a multiple of them."
        )
    return whole[number * size : (number + 1) * size]


def drawn(draw: Callable[[int], Tensor], rows: int) -> Tensor:
    """Random numbers for the rows of a share: `draw(n)` draws them for all rows of the batch."""
    number, parts = _SHARE.get()
    return draw(rows * parts)[number * rows : (number + 1) * rows]


def chosen(weights: Float[Tensor, "b n"], count: int) -> Int[Tensor, "b {count}"]:
    """`count` columns for each row of a share, drawn by their weights with replacement."""
    number, parts = _SHARE.get()
    rows = len(weights)
    own = slice(number * rows, (number + 1) * rows)
    # Rows are drawn one after another: rows of other shares use up their random numbers too.
    whole = weights.new_ones(rows * parts, weights.shape[1])
    whole[own] = weights
    return torch.multinomial(whole, count, replacement=True)[own]


def normal_like(features: Tensor) -> Tensor:
    """Normal noise for features, the same for an image in whatever share it is."""
    if _SHARE.get()[1] == 1:
        return torch.randn_like(features)
    features = features.detach()

    def draw(rows: int) -> Tensor:
        # In the features' memory layout, since numbers are drawn in the order of memory.
        shape = (rows, *features.shape[1:])
        return torch.randn_like(
            torch.empty_strided(
                shape, features.stride(), dtype=features.dtype, device=features.device
            )
        )

    return drawn(draw, len(features))
