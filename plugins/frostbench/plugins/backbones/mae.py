"""A frozen masked autoencoder: an encoder of whole images, and a decoder tuned to give them back.

He et al., "Masked Autoencoders Are Scalable Vision Learners", CVPR 2022,
https://arxiv.org/abs/2111.06377. LM4LV (https://arxiv.org/abs/2405.15734) reads its features
without masking, and publishes one whose decoder was tuned for that (`bytetriper/vit-mae-r`).
"""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from frostbench.plugins.backbones.entry import BackboneEntry
from frostbench.plugins.backbones.linears import speed_up_linears
from frostbench.plugins.backbones.pretrained import load_network

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class MAE:
    """Encoder and decoder, both without masking.

    Attributes:
        model: The network, `ViTMAEForPreTraining` of transformers, frozen, in evaluation mode.
        identity: Where it came from, for people.
    """

    def __init__(self, model: Any, identity: str = "") -> None:
        """Take a network.

        Raises:
            ValueError: its decoder gives patches that were normalised one by one, which no longer
                make an image, or its images are not square.
        """
        if model.config.norm_pix_loss:
            raise ValueError(
                f"the masked autoencoder {identity or 'given'} was trained on patches normalised "
                "one by one (norm_pix_loss), so that its decoder gives no image; take one that "
                "was trained without, as bytetriper/vit-mae-r."
            )
        if not isinstance(model.config.image_size, int):
            raise ValueError(
                f"the masked autoencoder {identity or 'given'} reads images of "
                f"{model.config.image_size}; square ones are wanted."
            )
        self.model = model.eval().requires_grad_(False)
        self.identity = identity
        # The encoder sees every patch; with no masking the identity is the only order of them.
        self.model.config.mask_ratio = 0.0
        if self.device.type == "cpu":
            speed_up_linears(self.model)

    @classmethod
    def load(cls, entry: BackboneEntry, device: str = "cpu") -> "MAE":
        """Load from a local folder, or by hub id from the local Hugging Face cache.

        Nothing is downloaded.

        Raises:
            ValueError: the folder or a file is missing, damaged, or no masked autoencoder; the
                message names it.
        """
        return cls(*load_network("ViTMAEForPreTraining", entry, device, "masked autoencoder"))

    @property
    def device(self) -> torch.device:
        """Where the network runs."""
        device: torch.device = next(iter(self.model.parameters())).device
        return device

    @property
    def side(self) -> int:
        """Height and width in pixels of the images that it reads."""
        return int(self.model.config.image_size)

    @property
    def patches(self) -> int:
        """Patches on a side; their features follow the first one, row by row."""
        return self.side // int(self.model.config.patch_size)

    @property
    def tokens(self) -> int:
        """Features of an image: one for the whole (CLS), one for each patch; 197 as published."""
        return self.patches**2 + 1

    @property
    def width(self) -> int:
        """Length of a feature."""
        return int(self.model.config.hidden_size)

    @torch.no_grad()
    def encode(self, images: Float[Tensor, "b 3 side side"]) -> Float[Tensor, "b n d"]:
        """Features of images in [0, 1], after the encoder's last norm, CLS first.

        Raises:
            ValueError: images of another size.
        """
        if images.shape[-2:] != (self.side, self.side):
            raise ValueError(
                f"the masked autoencoder reads images of {self.side} x {self.side}, and got "
                f"{images.shape[-2]} x {images.shape[-1]}; resize them first."
            )
        order = torch.arange(self.tokens - 1, dtype=torch.float32, device=self.device)
        normal = normalised(images.to(self.device))
        # Patches are sorted by this noise, so that rising values leave them in their order.
        output = self.model.vit(
            normal.to(self._dtype), noise=order.expand(len(images), -1)
        ).last_hidden_state
        return output.float()  # type: ignore[no-any-return]

    def decode(self, features: Float[Tensor, "b n d"]) -> Float[Tensor, "b 3 side side"]:
        """Images from features of every patch; what lies outside [0, 1] is left as it is.

        Raises:
            ValueError: features of another number or width.
        """
        if features.shape[1:] != (self.tokens, self.width):
            raise ValueError(
                f"the masked autoencoder's decoder reads {self.tokens} features of width "
                f"{self.width}, and got {features.shape[1]} of {features.shape[2]}."
            )
        logits = self.model.decoder(features.to(self.device, self._dtype), self._order(features))
        images: Tensor = self.model.unpatchify(logits.logits.float())
        mean, std = _statistics(images)
        return images * std + mean

    @property
    def _dtype(self) -> torch.dtype:
        dtype: torch.dtype = next(iter(self.model.parameters())).dtype
        return dtype

    def _order(self, features: Float[Tensor, "b n d"]) -> Int[Tensor, "b patches"]:
        """Every patch in its place: no mask token is put in."""
        return torch.arange(self.tokens - 1, device=self.device).expand(len(features), -1)


def normalised(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """Images in [0, 1] as the network reads them: with ImageNet's mean and deviation."""
    mean, std = _statistics(images)
    return (images - mean) / std


def _statistics(like: Tensor) -> tuple[Tensor, Tensor]:
    mean, std = like.new_tensor(IMAGENET_MEAN), like.new_tensor(IMAGENET_STD)
    return mean[:, None, None], std[:, None, None]
