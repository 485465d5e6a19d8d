"""Reads published V2L checkpoints: the periodic files and the one to resume from."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from frostbench.plugins.backbones import weights
from frostbench.plugins.backbones.published import read_torch, state_of, without
from frostbench.v2l.model import V2LSettings, V2LTokenizer

TOWER = "global_encoder."
SKIPPED = ("discriminator.", "perceptual_loss.", TOWER)
TOLERANCE = 2e-3  # relative to each tensor's largest value: half precision keeps 11 bits


def load_published(
    path: Path, visual: nn.Module | None, settings: V2LSettings | None = None
) -> V2LTokenizer:
    """The tokenizer of an official checkpoint, in evaluation mode.

    `visual` is the frozen CLIP tower that the tokenizer will be used with (open_clip's
    `model.visual`): the checkpoint carries its own copy, which must be the same network. None
    leaves that unchecked. The training's networks (`discriminator.`, `perceptual_loss.`) are
    skipped; besides, nothing may be missing or left over.

    Raises:
        ValueError: the file cannot be read, does not fit the settings, or was trained beside
            another CLIP.
    """
    # The file to resume from has its weights under "model", the others under "state_dict".
    state = state_of(read_torch(path), ("state_dict", "model"), path)
    model = V2LTokenizer(settings or V2LSettings())
    weights.fill(model, without(state, SKIPPED), str(path))
    if visual is not None:
        tower = {
            name.removeprefix(TOWER): tensor
            for name, tensor in state.items()
            if name.startswith(TOWER)
        }
        check_tower(tower, visual, path)
    return model.eval()


def check_tower(tower: Mapping[str, Tensor], visual: nn.Module, path: Path) -> None:
    """Compare a checkpoint's copy of the visual tower with the one in use.

    Raises:
        ValueError: names, shapes, or values beyond half precision differ.
    """
    used = visual.state_dict()
    problems = weights.mismatches(used, tower)
    if not problems:
        problems = [
            f"{name} has other values"
            for name, tensor in used.items()
            if not _alike(tensor.float().cpu(), tower[name].float())
        ][:1]
    if problems:
        raise ValueError(
            f"{path} was trained beside another CLIP than the visual tower given: "
            f"{'; '.join(problems)}."
        )


def _alike(a: Tensor, b: Tensor) -> bool:
    scale = float(a.abs().max()) if a.numel() else 0.0
    return bool(((a - b).abs() <= TOLERANCE * scale + 1e-7).all())
