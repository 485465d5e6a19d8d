"""A running mean of a model's weights during training; it scores better than the last weights."""

from typing import Any

import torch
from torch import Tensor, nn


class Average:
    """The exponential mean of a model's trained weights; it begins as the weights themselves."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self._means = {name: value.clone() for name, value in _trained(model).items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Add the weights after a step to the mean."""
        for name, value in _trained(model).items():
            self._means[name].lerp_(value, 1 - self.decay)

    @torch.no_grad()
    def into(self, model: nn.Module) -> None:
        """Replace the model's weights by their mean."""
        for name, value in _trained(model).items():
            value.copy_(self._means[name])

    def state_dict(self) -> dict[str, Any]:
        """The means by name."""
        return dict(self._means)

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Restore means from `state_dict`."""
        for name, value in self._means.items():
            value.copy_(state[name])


def _trained(model: nn.Module) -> dict[str, Tensor]:
    named = model.named_parameters()
    return {name: value.detach() for name, value in named if value.requires_grad}
