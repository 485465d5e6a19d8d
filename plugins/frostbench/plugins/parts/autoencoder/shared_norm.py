"""Batch normalisation over a whole batch, even when several processes share it."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, distributed, nn


class SharedBatchNorm(nn.BatchNorm2d):
    """`nn.BatchNorm2d`; several processes that train together share their statistics.

    torch's own `SyncBatchNorm` does it on GPUs alone. Shares that one process computes one after
    another (`accumulate`) have statistics of their own, as usual.
    """

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Normalised maps; in training the running statistics move on."""
        together = distributed.is_available() and distributed.is_initialized()
        if not self.training or not together or distributed.get_world_size() == 1:
            return super().forward(maps)
        values = maps.float()
        count = values.numel() // values.shape[1] * distributed.get_world_size()
        mean = _Sum.apply(values.sum((0, 2, 3))) / count
        centred = values - mean[:, None, None]
        variance = _Sum.apply(centred.square().sum((0, 2, 3))) / count
        self._move_on(mean.detach(), variance.detach() * count / (count - 1))
        scale = self.weight * (variance + self.eps).rsqrt()
        normal: Tensor = centred * scale[:, None, None] + self.bias[:, None, None]
        return normal.to(maps.dtype)

    def _move_on(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)
        self.num_batches_tracked += 1


class _Sum(torch.autograd.Function):
    """The sum of a tensor over processes; so is its gradient."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        total = own.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        distributed.all_reduce(total)
        return total
