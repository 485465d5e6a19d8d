"""F-LMM's trained networks: mask head, text projection and mask refiner."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from frostbench.baselines.flmm.refiner import Refiner
from frostbench.baselines.flmm.text import mixed
from frostbench.baselines.flmm.unet import UNet, UNetSettings
from frostbench.plugins.backbones.views import View
from frostbench.plugins.parts.grounding.attention import Merge, laid_out, of_image


@dataclass(frozen=True)
class HeadSettings:
    """Sizes; the defaults are those for LLaVA-1.5-7B.

    Attributes:
        unet: The mask head.
        layers: Layers of the language model.
        width: Width of its hidden states.
        merge: How the attention of a phrase's tokens becomes one map a layer and head.
    """

    unet: UNetSettings = field(default_factory=UNetSettings)
    layers: int = 32
    width: int = 4096
    merge: Merge = "mean"

    def __post_init__(self) -> None:
        if self.layers < 1 or self.width < 1 or self.unet.channels % self.layers:
            raise ValueError(
                f"{self.unet.channels} channels of attention are no whole number of heads in each "
                f"of {self.layers} layers; unet.channels is layers times heads, times views."
            )


@dataclass(frozen=True, eq=False)
class Found:
    """Logits of masks, one a phrase; a pixel is in a mask where its logit is above 0.

    `coarse` are the mask head's, in its cells; `fine` the refiner's, in pixels of the image.
    """

    coarse: Float[Tensor, "n rows columns"]
    fine: Float[Tensor, "n h w"]


class Heads(nn.Module):
    """Mask head, mixture of the words' states over layers, and refiner."""

    def __init__(self, settings: HeadSettings, sam: Any) -> None:
        """Random weights, but for the refiner, which begins as the given `Sam` network is."""
        super().__init__()
        self.settings = settings
        self.mask_head = UNet(settings.unet)
        self.text_layer_weights = nn.Parameter(torch.ones(settings.layers))
        self.sam = Refiner(sam)
        self.text_proj = nn.Linear(settings.width, self.sam.width)

    def forward(
        self,
        rows: Float[Tensor, "n channels keys"],
        hidden: Sequence[Float[Tensor, "layers _k d"]],
        embeddings: Float[Tensor, "n d2 side side"],
        views: Sequence[View],
        size: tuple[int, int],
    ) -> Found:
        """Masks of phrases, one a row, in an image of `size` whose positions lie as `views` say.

        `rows` are those of `merged`, and `hidden` the states of each phrase's tokens, not averaged.
        Several images may be read together if size and views are the same.

        Raises:
            ValueError: there are not as many maps, or layers, as the heads read.
        """
        self._check(rows.shape[1] * len(views), hidden)
        logits = of_image(self.mask_head(laid_out(rows, views)), views, size)
        words = [self.text_proj(mixed(states, self.text_layer_weights)) for states in hidden]
        return Found(logits, self.sam(embeddings, size, logits, words))

    def _check(self, channels: int, hidden: Sequence[Float[Tensor, "layers _k d"]]) -> None:
        """Check that the multimodal model is of the kind that the heads read."""
        wanted = self.settings
        shapes = {(states.shape[0], states.shape[2]) for states in hidden}
        if channels != wanted.unet.channels or shapes != {(wanted.layers, wanted.width)}:
            layers, width = next(iter(shapes))
            raise ValueError(
                f"these heads read {wanted.unet.channels} maps of attention and {wanted.layers} "
                f"layers of width {wanted.width}; the multimodal model gives {channels} maps and "
                f"{layers} layers of width {width}. Use the one that they were trained with."
            )
