"""A trained model as a folder of a pack: `config.json`, its settings, and `model.safetensors`."""

import json
from collections.abc import Callable, Mapping
from dataclasses import Field, asdict
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

from torch import Tensor, nn

from frostbench.plugins.backbones import precision, weights
from frostbench.plugins.backbones.precision import Precision, write
from frostbench.plugins.backbones.precision import rounded as rounded
from frostbench.plugins.host.settings import read_settings as read
from frostbench.plugins.host.texts import kind_of, read_json

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
CONVERT = "`frostbench convert` makes one of files as their authors publish them."


@runtime_checkable
class DataclassInstance(Protocol):
    """An instance of any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


S = TypeVar("S", bound=DataclassInstance)
N = TypeVar("N", bound=nn.Module)


def override(settings: S, values: Mapping[str, str], where: str) -> S:
    """Settings with some values replaced, by dotted name (`{"loss.pixel_weight": "0.5"}`).

    `where` is their path as the user wrote it; errors begin with it.

    Raises:
        ValueError: a name or value is unknown to the settings.
    """
    return read(type(settings), {**asdict(settings), **values}, where)


def save(
    folder: Path,
    settings: DataclassInstance,
    tensors: Mapping[str, Tensor],
    precision: Precision = "byte",
) -> None:
    """Write both files, floating-point tensors in the given precision; see `compact`.

    Raises:
        ValueError: a value cannot be stored in that precision.
    """
    write(folder / WEIGHTS, tensors, precision)
    (folder / CONFIG).write_text(json.dumps(asdict(settings), indent=2) + "\n", encoding="utf-8")


def save_model(folder: Path, model: nn.Module) -> None:
    """Round a model's weights to a byte a number, and write them with its `settings`.

    What is measured afterwards is measured on what is stored.

    Raises:
        ValueError: a value cannot be stored in that precision.
    """
    rounded(model)
    settings = model.settings
    assert isinstance(settings, DataclassInstance)
    save(folder, settings, model.state_dict())


def stored_settings(folder: Path, default: S) -> S:
    """The settings of a stored model; those that the file leaves out are as in `default`.

    Raises:
        ValueError: the file is missing, no JSON, or names what the settings do not have.
    """
    path = folder / CONFIG
    try:
        values = read_json(path)
    except FileNotFoundError:
        raise ValueError(f"no {CONFIG} in {folder}: there is no trained model. {CONVERT}") from None
    except NotADirectoryError:
        raise ValueError(f"{folder} is a file, and a folder is wanted. {CONVERT}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path} holds no settings but {kind_of(values)}.")
    return read(type(default), {**asdict(default), **values}, str(path))


def load_into(module: nn.Module, folder: Path) -> None:
    """Fill a module, strictly, with the weights of a stored model.

    Raises:
        ValueError: the file is missing, damaged, or made for another module.
    """
    path = folder / WEIGHTS
    weights.fill(module, precision.read(path), str(path))


def load(build: Callable[[S], N], default: S, folder: Path) -> N:
    """A stored model, in evaluation mode, which `build` makes from its settings.

    Raises:
        ValueError: a file is missing or damaged, or the two do not fit.
    """
    model = build(stored_settings(folder, default))
    load_into(model, folder)
    return model.eval()
