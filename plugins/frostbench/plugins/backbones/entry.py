"""What a backbone is loaded from, and the checks that every loader makes first."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from frostbench.plugins.backbones import precision
from frostbench.plugins.host.litter import files_like
from frostbench.plugins.host.packs import BackboneEntry

__all__ = [
    "BackboneEntry",
    "check_weight_file",
    "check_weight_files",
    "expanded_file",
    "is_folder_name",
    "offline",
    "own_code",
]


def is_folder_name(source: str) -> bool:
    """Whether a source means a place on disk rather than a model's name or hub id.

    >>> [is_folder_name(s) for s in ("org/model", "gpt2", "./llm", "/packs/mini/llm", "a/b/c")]
    [False, False, True, True, True]
    """
    return source.startswith(("/", ".", "~")) or source.count("/") > 1 or Path(source).exists()


def check_weight_files(folder: Path) -> None:
    """Open every safetensors file in a folder far enough to see that it is whole.

    Raises:
        ValueError: a file is cut short or no safetensors file; the message names it.
    """
    for path in files_like(folder, "*.safetensors"):
        check_weight_file(path)


def check_weight_file(path: Path) -> None:
    """Open a safetensors file far enough to see that it is whole.

    Raises:
        ValueError: it is cut short or no safetensors file.
    """
    try:
        with safe_open(path, framework="pt"):
            pass
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"{path} ({path.stat().st_size} bytes) is cut short or no safetensors file: "
            f"{error}. Get it again."
        ) from error


def expanded_file(path: Path) -> dict[str, Tensor] | None:
    """The tensors of a weight file that keeps them with a byte a number (see `precision`).

    None for a file that the model's own library reads, and where there is none.

    Raises:
        ValueError: a tensor lacks the scales that it needs.
    """
    return precision.read(path) if path.is_file() and precision.in_bytes(path) else None


@contextlib.contextmanager
def offline() -> Iterator[None]:
    """Let the Hugging Face libraries read their local cache and nothing else.

    Asking for local files only is not enough: transformers still looks for adapters on the hub. Nor
    is it enough that we trust no folder's own code. A library between us and transformers may pass
    no answer, and transformers then asks on standard input (here without waiting); open_clip passes
    on what a folder's configuration says of trust. So no such module can be found at all.
    """
    from huggingface_hub import constants
    from transformers import dynamic_module_utils as own

    before = constants.HF_HUB_OFFLINE, own.TIME_OUT_REMOTE_CODE, own.get_cached_module_file
    constants.HF_HUB_OFFLINE, own.TIME_OUT_REMOTE_CODE = True, 0
    own.get_cached_module_file = _no_module
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE, own.TIME_OUT_REMOTE_CODE, own.get_cached_module_file = before


def _no_module(*_: object, **__: object) -> str:
    raise ValueError("trust_remote_code is False, whatever a folder says.")


def own_code(error: Exception, source: str) -> str:
    """What to do where a model's folder brings code of its own, which is never run; else ""."""
    if "trust_remote_code" not in str(error):
        return ""
    return (
        f"{source} brings code of its own (auto_map in one of its JSON files), and code of a model "
        "folder is never run: take a version of the model whose classes transformers has, or write "
        "a plugin that offers a backbone kind (frostbench_backbones) with that code."
    )
