"""Weight files: read, written, identified and filled into modules, with errors that say which."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

SHOWN = 8  # names in an error before the rest is counted
CHUNK = 1 << 22


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name, on the CPU.

    Raises:
        ValueError: the file is missing, cut short, or no safetensors file.
    """
    if not path.is_file():
        raise ValueError(f"no weight file at {path}.")
    try:
        tensors: dict[str, Tensor] = load_file(path)
        return tensors
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"{path} ({path.stat().st_size} bytes) is cut short or no safetensors file: {error}. "
            "Get it again."
        ) from error


def write(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors as safetensors; whoever reads `path` meanwhile sees the old file or the new.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        # Names that share memory become tensors of their own, as the format wants them.
        content = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
        # Not save_file, which makes files that only their owner may read.
        temporary.write_bytes(save(content))
        os.replace(temporary, path)
    except SafetensorError as error:
        raise OSError(f"cannot write {path}: {error}.") from error
    finally:
        temporary.unlink(missing_ok=True)


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        ValueError: there is no such file.
    """
    if not path.is_file():
        raise ValueError(f"no weight file at {path}.")
    state = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            state.update(block)
    return state.hexdigest()


def fill(module: nn.Module, tensors: Mapping[str, Tensor], source: str) -> None:
    """Copy tensors into a module; nothing may be missing, left over, or of another shape.

    Values are converted to the module's own types. `source` names the weights in the error.

    Raises:
        ValueError: names or shapes do not fit; the module is then unchanged.
    """
    wanted = module.state_dict()
    problems = mismatches(wanted, tensors)
    if problems:
        raise ValueError(
            f"the weights of {source} do not fit {type(module).__name__}: {'; '.join(problems)}. "
            "Check that the settings are those that the weights were trained with."
        )
    with torch.no_grad():
        for name, target in wanted.items():
            target.copy_(tensors[name])


def mismatches(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> list[str]:
    """Why `given` cannot replace `wanted`, a phrase for each kind of reason."""
    missing = [name for name in wanted if name not in given]
    unexpected = [name for name in given if name not in wanted]
    other = [
        f"{name} is {tuple(given[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in given and given[name].shape != tensor.shape
    ]
    kinds = (("missing", missing), ("unexpected", unexpected), ("of another shape", other))
    return [f"{len(names)} {kind} ({_some(names)})" for kind, names in kinds if names]


def _some(names: list[str]) -> str:
    rest = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")
