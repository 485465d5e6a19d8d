"""LQAE's autoencoder: encoder, nearest words, masked language model, decoder."""

from dataclasses import dataclass, field

from jaxtyping import Float, Int
from torch import Tensor, nn

from frostbench.baselines.lqae.channel import Channel, LMOutput, drawn
from frostbench.baselines.lqae.vit import ViTDecoder, ViTEncoder, ViTSettings
from frostbench.plugins.backbones.masked_lm import MaskedLM
from frostbench.plugins.parts.autoencoder.quantizer import check_ids, straight_through


@dataclass(frozen=True)
class LQAESettings:
    """Sizes, codes, and what the decoder reads.

    Attributes:
        network: Sizes of encoder and decoder.
        lm_output: What the decoder reads; see `Channel`. Unverified: the published command reads
            states, the paper's abstract has predicted tokens.
        ban_special: See `codes`.
        ban_unreadable: See `codes`.
    """

    network: ViTSettings = field(default_factory=ViTSettings)
    lm_output: LMOutput = "hidden"
    ban_special: bool = True
    ban_unreadable: bool = False


@dataclass(frozen=True, eq=False)
class LQAEOutput:
    """The result of one pass, for training.

    `images` are about [0, 1]; `commitment` is the mean square between features and their codes'
    embeddings; `loss` and `right` tell how well masked codes were guessed; `ids` are the codes
    chosen for `features`.
    """

    images: Float[Tensor, "b 3 h w"]
    commitment: Float[Tensor, ""]
    loss: Float[Tensor, ""]
    right: Float[Tensor, ""]
    features: Float[Tensor, "b gh gw d"]
    ids: Int[Tensor, "b gh gw"]


class LQAE(nn.Module):
    """The two networks, which are trained. The language model comes in as a `Channel`."""

    def __init__(self, settings: LQAESettings) -> None:
        super().__init__()
        self.settings = settings
        self.encoder = ViTEncoder(settings.network)
        self.decoder = ViTDecoder(settings.network)

    def encode(self, images: Float[Tensor, "b 3 h w"], channel: Channel) -> Int[Tensor, "b gh gw"]:
        """The code of each cell of images in [0, 1]."""
        return channel.nearest(self.encoder(images))

    def decode(self, ids: Int[Tensor, "b gh gw"], channel: Channel) -> Float[Tensor, "b 3 h w"]:
        """Images from codes, through the language model with nothing masked, not clamped.

        The decoder never sees the codes themselves.

        Raises:
            ValueError: an id is no code.
        """
        check_ids(ids, channel.size, "code")
        decoded: Tensor = self.decoder(channel.read(ids))
        return decoded

    def forward(
        self,
        images: Float[Tensor, "b 3 h w"],
        channel: Channel,
        ratio: tuple[float, float],
        taught: Int[Tensor, "b gh gw"] | None = None,
    ) -> LQAEOutput:
        """Reconstruct images in [0, 1], a share of the codes between two ratios masked.

        Codes are chosen by direction alone, but their embeddings are not normalised; the gradient
        of an unmasked code passes on to its feature. Codes that are `taught` replace the nearest
        ones, and pass on no gradient.
        """
        features = self.encoder(images).float()
        ids = channel.nearest(features) if taught is None else taught
        rows = channel.rows[ids]
        read = straight_through(features, rows) if taught is None else rows
        guessed = channel.guess(read, ids, drawn(ids.shape, ratio, ids.device))
        commitment = (rows - features).square().mean()
        decoded = self.decoder(guessed.features).float()
        return LQAEOutput(decoded, commitment, guessed.loss, guessed.right, features, ids)


def check_sizes(settings: LQAESettings, mlm: MaskedLM) -> None:
    """Check that the language model can read the networks' features.

    Raises:
        ValueError: they have another length than its embeddings, or there are too many.
    """
    width, cells = settings.network.width, settings.network.side**2
    if width != mlm.width:
        raise ValueError(
            f"features have width {width}, and the masked language model's embeddings "
            f"{mlm.width}; use the language model that the networks were trained with."
        )
    if cells > mlm.longest:
        raise ValueError(
            f"an image has {cells} cells, and the masked language model reads at most "
            f"{mlm.longest} tokens; use larger cells or another language model."
        )
