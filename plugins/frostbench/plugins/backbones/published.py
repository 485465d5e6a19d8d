"""Read what authors published, of any age, without running what is pickled in it."""

import io
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

HEAD = 512


class Inert:
    """Stands for an object of a trainer that nobody needs: it takes anything and does nothing."""

    def __new__(cls, *_: object, **__: object) -> "Inert":
        """Ignore what the object was made of."""
        return super().__new__(cls)

    def __init__(self, *_: object, **__: object) -> None:
        """Ignore what the object was made of."""

    def __setstate__(self, state: object) -> None:
        """Ignore the object's state."""

    def __setitem__(self, key: object, value: object) -> None:
        """Ignore an entry, of objects that were pickled as mappings."""

    def append(self, item: object) -> None:
        """Ignore an item, of objects that were pickled as sequences."""

    def extend(self, items: object) -> None:
        """Ignore items."""


def read_torch(path: Path) -> Any:
    """What a file of `torch.save` holds, on the CPU.

    Nothing that is pickled in the file is imported or called: objects of classes other than
    tensors and plain values (a trainer's callbacks, parsed arguments) become `Inert`.

    Raises:
        ValueError: the file is missing, cut short, a web page, or of another format.
    """
    if not path.is_file():
        raise ValueError(f"no checkpoint at {path}.")
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEAD).lstrip().lower()
    if head.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise ValueError(
            f"{path} ({size} bytes) is a web page and no checkpoint: the download link answered "
            "with an error page. Get the file again."
        )
    try:
        foreign = get_unsafe_globals_in_checkpoint(path) if zipfile.is_zipfile(path) else []
        with safe_globals([(Inert, name) for name in foreign]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, ValueError, OSError, zipfile.BadZipFile, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"{path} ({size} bytes) is cut short or no checkpoint: {reason} Get it again."
        ) from error
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path} ({size} bytes) is cut short, no checkpoint, or too old to be read safely. "
            "Get it again, or save its tensors anew with torch >= 1.6."
        ) from error


class _Unpickler(pickle.Unpickler):
    """Makes plain values, and what it is given by name; refuses whatever else a pickle asks for."""

    def __init__(self, content: bytes, known: Mapping[str, Any]) -> None:
        # Python 2 wrote texts that are bytes to Python 3.
        super().__init__(io.BytesIO(content), encoding="utf-8")
        self._known = known

    def find_class(self, module: str, name: str) -> Any:
        """What the name stands for, by the package alone: modules moved within theirs."""
        key = f"{module.partition('.')[0]}.{name}"
        if key in self._known:
            return self._known[key]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def read_pickle(content: bytes, path: Path, known: Mapping[str, Any] | None = None) -> Any:
    """What a pickle of Python 2 or 3 holds: plain values, and what is `known` as "package.name".

    Raises:
        ValueError: it is no pickle, is cut short, or asks for anything else.
    """
    try:
        return _Unpickler(content, known or {}).load()
    except (pickle.UnpicklingError, EOFError, ValueError, LookupError, TypeError) as error:
        raise ValueError(f"{path} cannot be read as a pickle of plain values: {error}.") from error


def state_of(content: Any, keys: tuple[str, ...], path: Path) -> dict[str, Tensor]:
    """The state dict in a checkpoint's content, under the first of `keys` that is there.

    Raises:
        ValueError: there is none, or it holds something else than tensors.
    """
    if isinstance(content, Mapping):
        for key in keys:
            state = content.get(key)
            if isinstance(state, Mapping) and all(isinstance(t, Tensor) for t in state.values()):
                return {str(name): tensor for name, tensor in state.items()}
        found = f"it has {', '.join(map(str, list(content)[:8])) or 'nothing'}"
    else:
        found = f"it holds {type(content).__name__}"
    raise ValueError(f"{path} has no weights under {' or '.join(map(repr, keys))}: {found}.")


def without(state: Mapping[str, Tensor], prefixes: tuple[str, ...]) -> dict[str, Tensor]:
    """The tensors whose names begin with none of the prefixes."""
    return {name: tensor for name, tensor in state.items() if not name.startswith(prefixes)}
