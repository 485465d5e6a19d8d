"""Muon, for training small transformers in few steps."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

QUINTIC = (3.4445, -4.7750, 2.0315)
TURNS = 5


class Muon(torch.optim.Optimizer):
    """Steps along the nearest orthogonal matrix to each matrix's momentum.

    Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024,
    https://kellerjordan.github.io/posts/muon. Torch's own differs in two things: it computes in
    bfloat16, which takes about ten times as long on processors without such units, and it takes
    matrices one by one, while here those of one shape go together.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(parameters, defaults)
        shapes = [tuple(p.shape) for group in self.param_groups for p in group["params"]]
        wrong = [shape for shape in shapes if len(shape) != 2]
        if wrong:
            raise ValueError(f"Muon moves matrices, and was given a tensor of shape {wrong[0]}")

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every matrix that has a gradient."""
        for group in self.param_groups:
            alike: dict[torch.Size, list[tuple[nn.Parameter, Tensor]]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    ahead = self._ahead(parameter, parameter.grad, group["momentum"])
                    alike[parameter.shape].append((parameter, ahead))
            for shape, together in alike.items():
                rate = group["lr"] * max(1.0, shape[0] / shape[1]) ** 0.5
                moves = orthogonal(torch.stack([ahead for _, ahead in together]))
                for (parameter, _), move in zip(together, moves, strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"]).sub_(move, alpha=rate)

    def _ahead(self, parameter: nn.Parameter, gradient: Tensor, momentum: float) -> Tensor:
        """Nesterov's momentum."""
        state = self.state[parameter]
        if not state:
            state["mean"] = torch.zeros_like(parameter)
        mean: Tensor = state["mean"]
        mean.lerp_(gradient, 1 - momentum)
        return gradient.lerp(mean, momentum)


def orthogonal(matrices: Float[Tensor, "m rows columns"]) -> Float[Tensor, "m rows columns"]:
    """Matrices with the same singular vectors, and with singular values of about 1 (0.7 to 1.2).

    Newton-Schulz iteration with the published coefficients, which stop short of 1 for speed.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    a, b, c = QUINTIC
    for _ in range(TURNS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x
