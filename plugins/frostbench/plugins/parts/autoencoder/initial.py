"""Initial weights for short trainings that let an image pass without fading."""

import torch
from torch import nn

from frostbench.plugins.parts.autoencoder.blocks import Downsample, ResidualBlock, Upsample

BRANCH = 0.2  # of a residual block's last convolution
LAST = 0.3  # of the decoder's last convolution
ASIDE = 0.02  # deviation of what an upsampling layer adds to each value that it repeats
RECTIFIED = 1.4  # makes up for what an activation takes away


@torch.no_grad()
def pass_through(model: nn.Module, last_layer: torch.Tensor) -> None:
    """Let images pass through encoder and decoder without fading.

    The published models began with torch's default weights, which divide the variance by three at
    every convolution. Here a convolution keeps it, halving an image keeps its four quarters apart
    (and doubles what it keeps), doubling it repeats values, and residual branches begin small:
    trainings of some thousand steps get much further.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, 0, module.weight[0].numel() ** -0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in model.modules():
        if isinstance(module, ResidualBlock):
            module.conv1.weight.mul_(RECTIFIED)
            module.conv2.weight.mul_(BRANCH)
            if module.widens:
                outputs, inputs = module.nin_shortcut.weight.shape[:2]
                nn.init.orthogonal_(module.nin_shortcut.weight, max(1.0, outputs / inputs) ** 0.5)
        elif isinstance(module, Downsample):
            _keep_quarters(module.conv)
        elif isinstance(module, Upsample):
            nn.init.dirac_(module.conv.weight)
            module.conv.weight.add_(ASIDE * torch.randn_like(module.conv.weight))
    last_layer.mul_(LAST)


def _keep_quarters(conv: nn.Conv2d) -> None:
    """Read 2x2 pixels with orthogonal weights, and nothing beyond them."""
    outputs, inputs = conv.weight.shape[:2]
    mixed = torch.empty(outputs, inputs * 4, device=conv.weight.device)
    nn.init.orthogonal_(mixed, 2.0)  # a quarter of the directions survives, at twice the magnitude
    conv.weight.zero_()
    conv.weight[:, :, :2, :2] = mixed.view(outputs, inputs, 2, 2)
