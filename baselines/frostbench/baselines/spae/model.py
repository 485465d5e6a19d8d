"""SPAE's autoencoder: encoder, pyramid of words, decoder."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from frostbench.baselines.spae.quantizer import Streamed, average, commitment, stream
from frostbench.baselines.spae.semantic import SemanticSettings, semantic_loss
from frostbench.baselines.spae.subsampler import places, sources
from frostbench.plugins.parts.autoencoder.decoder import Decoder
from frostbench.plugins.parts.autoencoder.encoder import Encoder
from frostbench.plugins.parts.autoencoder.quantizer import check_ids
from frostbench.plugins.parts.autoencoder.reconstruction import AutoencoderOutput
from frostbench.plugins.parts.autoencoder.settings import NetworkSettings
from frostbench.plugins.parts.training.processes import drawn, normal_like

WIDER = 4  # times as wide as the encoder's last features: the heads of upper layers


def published_network() -> NetworkSettings:
    """Cells of 8x8 pixels of 128x128, four levels of 128 channels times 1, 2, 2, 4 (unverified).

    The widths are those of the same team's MAGVIT, the only related method with published code. Our
    networks have attention in the middle, where MAGVIT has it as an option.
    """
    return NetworkSettings(
        multipliers=(1, 2, 2, 4), attention_sizes=(), nominal_size=128, z_channels=256
    )


@dataclass(frozen=True)
class SPAESettings:
    """Sizes and choices.

    Attributes:
        network: Encoder and decoder; 128x128 pixels and their widths are unverified.
        layers: Sides of the pyramid's layers, from coarse to fine; the last is that of the grid.
        words: Rows of the codebook; about 65,000 with PaLM 2 (unverified).
        width: The width of a row: that of the language model's embeddings, and in the paper that of
            the features. 4096 is LLaMA-2's, with which users can run the method.
        code_projection: None looks words up by their own vectors, as the paper seems to
            (unverified). A number is the width of a linear projection of them, which is fitted to
            the features once and then frozen too: our extension for small packs, which train in
            minutes.
        equal_norms: Projected words all get the same distance from their mean: otherwise words near
            the mean are near to everything and are chosen everywhere.
        own_heads: How many of the first layers have a head of their own on the encoder, so that
            their cells need not look like their neighbours. 0 in the paper, as far as is known; our
            extension for small packs.
        beta: Weight of the commitment to the codes (unverified), summed over layers.
        depth_dropout: For each depth short of the whole, the share of training images that are
            decoded from that many layers. The paper says nothing of this; without it images from
            the first layers are meaningless.
    """

    network: NetworkSettings = field(default_factory=published_network)
    layers: tuple[int, ...] = (1, 2, 4, 8, 16, 16)
    words: int = 65_000
    width: int = 4096
    code_projection: int | None = None
    equal_norms: bool = False
    own_heads: int = 0
    beta: float = 0.33
    depth_dropout: float = 0.1

    def __post_init__(self) -> None:
        if not self.layers or list(self.layers) != sorted(self.layers):
            raise ValueError(f"layers go from coarse to fine, and there is one: {self.layers}.")
        if not 0 <= self.depth_dropout * (len(self.layers) - 1) < 1:
            raise ValueError(
                f"a depth_dropout of {self.depth_dropout} at each of {len(self.layers) - 1} depths "
                "leaves no whole image; choose less."
            )

    @property
    def grid(self) -> int:
        """The side of the encoder's grid."""
        return self.layers[-1]

    @property
    def image_size(self) -> int:
        """The side of an image, in pixels."""
        return self.grid * self.network.factor

    @property
    def counts(self) -> tuple[int, ...]:
        """Tokens of an image after each layer.

        >>> SPAESettings().counts
        (1, 5, 21, 85, 341, 597)
        """
        return tuple(accumulate(side * side for side in self.layers))


class SPAE(nn.Module):
    """Everything but the frozen backbones; the codebook is a frozen copy of vectors."""

    codebook: Tensor
    upper: Tensor

    def __init__(self, settings: SPAESettings) -> None:
        super().__init__()
        self.settings = settings
        z, width = settings.network.z_channels, settings.code_projection or settings.width
        self.encoder = Encoder(settings.network)
        self.decoder = Decoder(settings.network)
        self.quant_conv = nn.Conv2d(z, width, 1)
        self.post_quant_conv = nn.Conv2d(width, z, 1)
        self.register_buffer("codebook", torch.zeros(settings.words, settings.width))
        if settings.code_projection is not None:
            self.code_projection = nn.Linear(settings.width, width).requires_grad_(False)
        if settings.own_heads:
            self.upper_conv = nn.Sequential(
                nn.Conv2d(z, WIDER * z, 1), nn.SiLU(), nn.Conv2d(WIDER * z, width, 1)
            )
        upper = torch.zeros(settings.grid**2, dtype=torch.bool)
        for side in settings.layers[: settings.own_heads]:
            upper[places(settings.grid, side)] = True
        self.register_buffer("upper", upper.view(settings.grid, settings.grid), persistent=False)
        self.layers = [places(settings.grid, side) for side in settings.layers]

    def set_codebook(self, rows: Float[Tensor, "words c"]) -> None:
        """Take the vectors of the words.

        Raises:
            ValueError: they have another shape than the settings say.
        """
        if rows.shape != self.codebook.shape:
            raise ValueError(
                f"the codebook is {tuple(rows.shape)}, and the tokenizer was built for "
                f"{tuple(self.codebook.shape)}."
            )
        self.codebook.copy_(rows)

    def codes(self) -> Float[Tensor, "words d"]:
        """The words' vectors that features are compared with, in float32."""
        if self.settings.code_projection is None:
            return self.codebook
        with torch.autocast(self.codebook.device.type, enabled=False):
            projected = functional.linear(self.codebook, self.code_projection.weight)
            if self.settings.equal_norms:
                length = projected.square().sum(1).mean().sqrt()
                projected = length * functional.normalize(projected)
            return projected + self.code_projection.bias

    def features(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d gh gw"]:
        """The encoder's features before the look-up, in float32; images in [-1, 1].

        Raises:
            ValueError: the images have another size than the pyramid.
        """
        side = self.settings.image_size
        if images.shape[-2:] != (side, side):
            raise ValueError(
                f"a pyramid of layers {self.settings.layers} is made of images of {side}x{side} "
                f"pixels, not of {images.shape[-2]}x{images.shape[-1]}."
            )
        seen = self.encoder(images)
        features = cast(Tensor, self.quant_conv(seen)).float()
        if not self.settings.own_heads:
            return features
        return torch.where(self.upper, self.upper_conv(seen).float(), features)

    def stream(
        self, images: Float[Tensor, "b 3 h w"], rows: Int[Tensor, " part"] | None = None
    ) -> Streamed:
        """What each layer chooses for images in [-1, 1].

        With `rows` it chooses among these rows of the codebook, and its ids count them.
        """
        codes = self.codes() if rows is None else self.codes()[rows]
        return stream(_cells(self.features(images)), codes, self.layers)

    def encode(self, images: Float[Tensor, "b 3 h w"]) -> list[Int[Tensor, "b _side _side"]]:
        """The words of each layer, as rows of the codebook; images in [-1, 1]."""
        ids = self.stream(images).ids
        pairs = zip(ids, self.settings.layers, strict=True)
        return [chosen.view(-1, side, side) for chosen, side in pairs]

    def decode(self, layers: Sequence[Int[Tensor, "b _side _side"]]) -> Float[Tensor, "b 3 h w"]:
        """Images from the first layers, or all; about [-1, 1] and not clamped.

        Raises:
            ValueError: there are no layers, they are not the pyramid's, or an id is no word.
        """
        shapes = [tuple(ids.shape[1:]) for ids in layers]
        depth, sides = len(layers), self.settings.layers
        if not 0 < depth <= len(sides) or shapes != [(side, side) for side in sides[:depth]]:
            raise ValueError(
                f"layers of {shapes or 'nothing'} were given, and the pyramid has {sides}; give "
                "one or more of them, from the first on."
            )
        for ids in layers:
            check_ids(ids, self.settings.words, "word")
        flat = [ids.flatten(1) for ids in layers]
        state = average(flat, self.codes(), self.layers[:depth], self.settings.grid**2)
        return self.render(state[:, self._sources(depth)])

    def render(self, cells: Float[Tensor, "b cells d"]) -> Float[Tensor, "b 3 h w"]:
        """Images from features, quantized or not."""
        grid = self.settings.grid
        quantized = cells.movedim(1, -1).reshape(len(cells), -1, grid, grid)
        return cast(Tensor, self.decoder(self.post_quant_conv(quantized)))

    def forward(
        self,
        images: Float[Tensor, "b 3 h w"],
        noise: float | None = None,
        scored: Float[Tensor, "b words"] | None = None,
        semantic: SemanticSettings | None = None,
    ) -> AutoencoderOutput:
        """Reconstruct images in [-1, 1] for training.

        With `scored`, CLIP's scores of the words, there is semantic guidance (see `semantic`). With
        `noise` nothing is quantized, as for VQ-GAN; the mean square of the features then replaces
        the commitment.
        """
        grid = self.features(images)
        features = _cells(grid)
        if noise is not None:
            blurred = features + noise * normal_like(features)
            return AutoencoderOutput(self.render(blurred), features.square().mean(), None)
        codes = self.codes()
        streamed = stream(features, codes, self.layers)
        loss = commitment(features, streamed, self.settings.beta)
        guidance = None
        if scored is not None:
            chosen = semantic or SemanticSettings()
            guidance = semantic_loss(streamed.queries, codes, scored, chosen)
        shown, wanted = self._shown(features, streamed)
        decoded = self.render(wanted + (shown - wanted).detach())
        return AutoencoderOutput(decoded, loss, torch.cat(streamed.ids, 1), guidance)

    def _shown(
        self, features: Float[Tensor, "b cells d"], streamed: Streamed
    ) -> tuple[Float[Tensor, "b cells d"], Float[Tensor, "b cells d"]]:
        """What the decoder reads, and the features that it replaces, each at its own depth."""
        depth = len(self.layers)
        dropped = self.settings.depth_dropout if self.training else 0.0
        if dropped == 0:
            return streamed.states[-1], features
        shares = [dropped] * (depth - 1) + [1 - dropped * (depth - 1)]
        weights = torch.tensor(shares)
        depths = drawn(
            lambda rows: torch.multinomial(weights, rows, replacement=True), len(features)
        )
        places = torch.stack([self._sources(i + 1) for i in range(depth)])[depths]
        states = torch.stack(streamed.states)[depths, torch.arange(len(features))]
        index = places.to(features.device)[..., None].expand_as(features)
        return states.gather(1, index), features.gather(1, index)

    def _sources(self, depth: int) -> Int[Tensor, " cells"]:
        return sources(self.settings.grid, self.settings.layers[:depth])


def _cells(grid: Float[Tensor, "b d gh gw"]) -> Float[Tensor, "b cells d"]:
    return grid.flatten(2).movedim(1, -1)
