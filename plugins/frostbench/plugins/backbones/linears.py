"""Linear layers that go through oneDNN on a CPU.

torch multiplies float32 matrices with MKL, which takes its AVX2 path on processors that are not
Intel's: on an AMD EPYC with AVX-512 it reached 114 GFLOP/s a core where oneDNN reached 265.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from frostbench.plugins.backbones.numberless import is_numberless

FEWEST_ROWS = 16  # below, oneDNN's set-up costs more than it saves


class OneDnnLinear(nn.Linear):
    """A float32 linear layer for inference on a CPU; in all other cases a plain one."""

    def forward(self, input: Float[Tensor, "*rows k"]) -> Float[Tensor, "*rows n"]:
        """`input` times the weight, plus the bias. The weight is read as it is, never packed."""
        rows = input.numel() // max(1, self.in_features)
        plain = (
            torch.is_grad_enabled()
            or rows < FEWEST_ROWS
            or input.dtype != torch.float32
            or input.device.type != "cpu"
            or self.weight.dtype != torch.float32
            or is_numberless(input)
        )
        if plain:
            return nn.functional.linear(input, self.weight, self.bias)
        product: Tensor = torch.ops.mkldnn._linear_pointwise(
            input, self.weight, self.bias, "none", [], ""
        )
        return product


def speed_up_linears(model: nn.Module) -> int:
    """Put `OneDnnLinear` in place of every plain linear layer; parameters stay the same objects.

    Returns:
        How many layers were replaced: none where this build of torch has no oneDNN.
    """
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return 0
    replaced = 0
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.Linear:
                setattr(parent, name, _wrapped(child))
                replaced += 1
    return replaced


def _wrapped(linear: nn.Linear) -> OneDnnLinear:
    with torch.device("meta"):
        wrapped = OneDnnLinear(linear.in_features, linear.out_features, linear.bias is not None)
    wrapped.weight = linear.weight
    wrapped.bias = linear.bias
    return wrapped.train(linear.training)
