"""Models of transformers from a local folder or the local cache, and their tokenizers."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from frostbench.plugins.backbones.device_map import asked_map, devices_named, placed, spread
from frostbench.plugins.backbones.devices import check_dtype, device_of, dtype_of
from frostbench.plugins.backbones.entry import (
    BackboneEntry,
    check_weight_files,
    expanded_file,
    is_folder_name,
    offline,
    own_code,
)
from frostbench.plugins.backbones.foreign import foreign
from frostbench.plugins.backbones.tokenizer import faithful

TOKENIZER = "AutoTokenizer"
LOCAL: Mapping[str, Any] = {"local_files_only": True, "trust_remote_code": False}
"""Nothing is downloaded, and no code is run that a model's folder brings."""


def load_pretrained(
    automatic: str,
    entry: BackboneEntry,
    device: str,
    noun: str,
    reads: str = TOKENIZER,
    device_map: object = None,
) -> tuple[Any, Any, str]:
    """A network, its tokenizer or processor, and the source that they came from.

    `automatic` names transformers' class that finds the network's own ("AutoModelForCausalLM"),
    `reads` the one that finds what makes its inputs; `noun` is what errors call the network
    ("language model"). A folder's weights may be kept with a byte a number (see `precision`).
    Nothing is downloaded.

    Raises:
        ValueError: the folder or a file is missing, damaged, or no such model; the message names
            it.
    """
    import transformers

    model, source = load_network(
        automatic, entry, device, noun, "weights and tokenizer", device_map
    )
    if reads == TOKENIZER:
        return model, read_tokenizer(entry, noun), source
    with _quiet(), offline():
        try:
            reader = getattr(transformers, reads).from_pretrained(source, **LOCAL)
        except Exception as error:
            raise ValueError(_unreadable(entry, source, error, noun)) from error
        if getattr(reader, "tokenizer", None) is not None:
            reader.tokenizer = faithful(reader.tokenizer, source)
    return model, reader, source


def read_tokenizer(entry: BackboneEntry, noun: str = "tokenizer") -> Any:
    """The tokenizer of a source, which reads as the source's own file says.

    Raises:
        ValueError: there is none, or it cannot be read.
    """
    import transformers

    found: Any
    source = _source(entry)
    with _quiet(), offline():
        try:
            found = transformers.AutoTokenizer.from_pretrained(source, **LOCAL)
        except Exception as error:  # its class may lack a library that the file does not need
            if own_code(error, source):
                raise ValueError(_unreadable(entry, source, error, noun)) from error
            found = error
        try:
            return faithful(found, source)
        except Exception as error:
            raise ValueError(_unreadable(entry, source, error, noun)) from error


def _source(entry: BackboneEntry) -> str:
    """Where a model lies: a folder, or a hub id in the local cache."""
    is_folder = is_folder_name(entry.source)
    return str(Path(entry.source).expanduser()) if is_folder else entry.source


def load_network(
    automatic: str,
    entry: BackboneEntry,
    device: str,
    noun: str,
    files: str = "weights",
    device_map: object = None,
) -> tuple[Any, str]:
    """A network alone, and the source that it came from; see `load_pretrained`.

    `files` names, for errors, what a folder must hold beside config.json; a `device_map` takes
    precedence over `device`.

    Raises:
        ValueError: the folder or a file is missing, damaged, or no such model; the message names
            it.
    """
    import transformers

    place, dtype = device_of(device), dtype_of(entry.dtype)
    who = f"backbone {entry.role!r}"
    with _said_of(who):
        asked = None if device_map is None else asked_map(device_map)
        for one in [place] if asked is None else devices_named(device_map):
            check_dtype(one, dtype)
    source = _source(entry)
    folder = Path(source)
    expanded = None
    if is_folder_name(entry.source):
        if said := foreign(folder):
            raise ValueError(said)
        if not (folder / "config.json").is_file():
            raise ValueError(
                f"no {noun} at {folder}: a folder with config.json, {files} is wanted, as "
                "save_pretrained writes it."
            )
        check_weight_files(folder)
        expanded = _expanded(folder)
    with _quiet(), offline():
        try:
            if expanded is None:
                model, report = getattr(transformers, automatic).from_pretrained(
                    source, dtype=dtype, output_loading_info=True, **LOCAL
                )
            else:
                model, report = _filled(automatic, folder, expanded, dtype)
        except Exception as error:
            raise ValueError(_unreadable(entry, source, error, noun)) from error
    absent = sorted(report["missing_keys"])
    if absent:
        raise ValueError(
            f"the weights of {noun} {source} lack {len(absent)} tensors, "
            f"{', '.join(absent[:8])} among them; they would be random."
        )
    if asked is None:
        return model.to(place), source
    with _said_of(who):
        spread(model, placed(asked, model, dtype))
    return model, source


@contextlib.contextmanager
def _said_of(who: str) -> Iterator[None]:
    """Put the name of the model before an error."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{who}: {error}") from error


def _expanded(folder: Path) -> dict[str, Tensor] | None:
    """The weights of a folder that keeps them with a byte a number; None where transformers reads.

    Raises:
        ValueError: the file is damaged.
    """
    # Published 8-bit models name their format here, and transformers reads them.
    published = "quantization_config" in (folder / "config.json").read_text(errors="replace")
    return None if published else expanded_file(folder / "model.safetensors")


def _filled(
    automatic: str, folder: Path, tensors: dict[str, Tensor], dtype: torch.dtype
) -> tuple[Any, Any]:
    """The network that a folder describes, with these weights, and transformers' report on them."""
    import transformers

    config = transformers.AutoConfig.from_pretrained(folder, **LOCAL)
    kind = getattr(transformers, automatic)
    if not issubclass(kind, transformers.PreTrainedModel):
        # The automatic classes take no weights, but find the class that does; on "meta", for free.
        with torch.device("meta"):
            kind = type(kind.from_config(config, trust_remote_code=False))
    model, report = kind.from_pretrained(
        None, config=config, state_dict=tensors, dtype=dtype, output_loading_info=True
    )
    model.config.name_or_path = str(folder)
    if (folder / "generation_config.json").is_file():
        model.generation_config = transformers.GenerationConfig.from_pretrained(folder)
    return model, report


def _unreadable(entry: BackboneEntry, source: str, error: Exception, noun: str) -> str:
    if said := own_code(error, source):
        return said
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
