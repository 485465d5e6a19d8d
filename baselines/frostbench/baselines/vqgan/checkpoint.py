"""Reads published VQ-GAN checkpoints, alone or inside a transformer's checkpoint."""

from pathlib import Path

from torch import Tensor

from frostbench.baselines.vqgan.model import F16_1024, VQGAN, VQGANSettings
from frostbench.plugins.backbones import weights
from frostbench.plugins.backbones.published import read_torch, state_of, without

NESTED = "first_stage_model."
SKIPPED = ("loss.",)  # prefix of the discriminator and the perceptual network of the training


def load_published(path: Path, settings: VQGANSettings = F16_1024) -> VQGAN:
    """The model of an official checkpoint, in evaluation mode.

    Nothing may be missing or left over but what belongs to the training (`loss.`).

    Raises:
        ValueError: the file cannot be read, or does not fit the settings.
    """
    model = VQGAN(settings)
    weights.fill(model, without(read_published(path)[0], SKIPPED), str(path))
    return model.eval()


def read_published(path: Path) -> tuple[dict[str, Tensor], int]:
    """The autoencoder's tensors with those of its training, and how many tensors the file has.

    It may lie inside the checkpoint of a transformer.

    Raises:
        ValueError: the file cannot be read.
    """
    state = state_of(read_torch(path), ("state_dict",), path)
    nested = {
        name.removeprefix(NESTED): tensor
        for name, tensor in state.items()
        if name.startswith(NESTED)
    }
    return nested or state, len(state)
