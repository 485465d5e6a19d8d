"""Models of transformers from a local folder or the local cache, and their tokenizers."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from frostbench.plugins.backbones.entry import (
    BackboneEntry,
    check_weight_files,
    is_folder_name,
    offline,
)
from frostbench.plugins.devices import device_of, dtype_of


def load_pretrained(
    automatic: str, entry: BackboneEntry, device: str, noun: str
) -> tuple[Any, Any, str]:
    """A network, its tokenizer, and the source that they came from.

    `automatic` names transformers' class that finds the network's own ("AutoModelForCausalLM");
    `noun` is what errors call it ("language model"). Nothing is downloaded.

    Raises:
        ValueError: the folder or a file is missing, damaged, or no such model; the message names
            it.
    """
    import transformers

    model, source = load_network(automatic, entry, device, noun, "weights and tokenizer")
    with _quiet(), offline():
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(source, local_files_only=True)
        except Exception as error:
            raise ValueError(_unreadable(entry, source, error, noun)) from error
    return model, tokenizer, source


def load_network(
    automatic: str, entry: BackboneEntry, device: str, noun: str, files: str = "weights"
) -> tuple[Any, str]:
    """A network alone, and the source that it came from; see `load_pretrained`.

    `files` is what an error says a folder must hold beside config.json.

    Raises:
        ValueError: the folder or a file is missing, damaged, or no such model; the message names
            it.
    """
    import transformers

    place, dtype = device_of(device), dtype_of(entry.dtype)
    folder = Path(entry.source).expanduser()
    source = str(folder) if is_folder_name(entry.source) else entry.source
    if is_folder_name(entry.source):
        if not (folder / "config.json").is_file():
            raise ValueError(
                f"no {noun} at {folder}: a folder with config.json, {files} is wanted, as "
                "save_pretrained writes it."
            )
        check_weight_files(folder)
    with _quiet(), offline():
        try:
            model, report = getattr(transformers, automatic).from_pretrained(
                source, dtype=dtype, local_files_only=True, output_loading_info=True
            )
        except Exception as error:
            raise ValueError(_unreadable(entry, source, error, noun)) from error
    absent = sorted(report["missing_keys"])
    if absent:
        raise ValueError(
            f"the weights of {noun} {source} lack {len(absent)} tensors, "
            f"{', '.join(absent[:8])} among them; they would be random."
        )
    return model.to(place), source


def _unreadable(entry: BackboneEntry, source: str, error: Exception, noun: str) -> str:
    reason = (str(error).strip().splitlines() or ["no message"])[0]
    if is_folder_name(entry.source):
        return f"no {noun} can be loaded from {source}: {type(error).__name__}: {reason}"
    return (
        f"no {noun} {source!r} in the local Hugging Face cache ({reason}); nothing is "
        f"downloaded unasked: fetch it with `hf download {source}`, or name a local folder."
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers from writing progress and advice while a model loads."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
