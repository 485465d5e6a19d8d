"""The result of one autoencoder pass in training, and the PSNR of its images."""

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, eq=False)
class AutoencoderOutput:
    """Images, about [-1, 1], the codebook's loss, and the ids (None where none were drawn).

    `guidance` is the loss that guides codes to a meaning, where a method has one.
    """

    images: Float[Tensor, "b 3 h w"]
    codebook_loss: Float[Tensor, ""]
    ids: Int[Tensor, "b _n *more"] | None
    guidance: Float[Tensor, ""] | None = None


def psnr(
    images: Float[Tensor, "b 3 h w"], reconstruction: Float[Tensor, "b 3 h w"]
) -> Float[Tensor, " b"]:
    """Peak signal-to-noise ratio of each RGB image in dB, of images in [-1, 1], clamped.

    Equal images score infinity.
    """
    error = (images - reconstruction.float().clamp(-1, 1)).square().flatten(1).mean(1)
    return 10 * (4 / error).log10()


def mean_psnr(clean: Float[Tensor, "b 3 h w"], other: Float[Tensor, "b 3 h w"]) -> float:
    """The mean of `psnr` over images in [0, 1]."""
    return float(psnr(clean * 2 - 1, other * 2 - 1).mean())
