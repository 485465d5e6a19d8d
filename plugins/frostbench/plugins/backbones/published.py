"""Read what authors published, of any age, without running what is pickled in it."""

import io
import math
import pickle
import pickletools
import zipfile
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.lib import format as npy
from numpy.typing import NDArray
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

HEAD = 512
SMALL = 1 << 24  # bytes that need no bound
MOST_UNPACKED = 20  # times the size of an archive

_PLAIN = """PROTO FRAME STOP MARK NONE NEWTRUE NEWFALSE INT LONG LONG1 LONG4 BININT BININT1
    BININT2 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE
    BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8 EMPTY_LIST LIST APPEND APPENDS EMPTY_DICT DICT
    SETITEM SETITEMS EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 PUT BINPUT LONG_BINPUT MEMOIZE GET
    BINGET LONG_BINGET"""
PLAIN = frozenset(_PLAIN.split())
CALLS = frozenset({"GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD"})
NAMED = frozenset({"GET", "BINGET", "LONG_BINGET"})
NUMBERED = frozenset({"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"})
MADE = frozenset({"EMPTY_LIST", "LIST", "EMPTY_DICT", "DICT", "REDUCE"})
SLACK = 1000
BYTES_EACH = 8  # at least, for a list or mapping and what is in it


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
        if zipfile.is_zipfile(path):
            check_zip(path)
        foreign = get_unsafe_globals_in_checkpoint(path) if zipfile.is_zipfile(path) else []
        with safe_globals([(Inert, name) for name in foreign]):
            content = torch.load(path, map_location="cpu", weights_only=True)
        _check_tensors(content)
        return content
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path} ({size} bytes) is cut short, no checkpoint, or too old to be read safely. "
            "Get it again, or save its tensors again with torch >= 1.6."
        ) from error
    except Exception as error:  # whatever a damaged checkpoint makes of its reader
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"{path} ({size} bytes) is cut short or no checkpoint: {reason} Get it again."
        ) from error


def check_zip(path: Path) -> None:
    """Check that a zip archive does not unpack to many times its size.

    Raises:
        ValueError: it does.
    """
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > SMALL + MOST_UNPACKED * path.stat().st_size:
        raise ValueError(
            f"{path} would unpack to {size} bytes, many times its size; it is refused."
        )


def _check_tensors(content: Any) -> None:
    """Check that no tensor expands a few stored numbers into very many."""
    if isinstance(content, Mapping):
        content = list(content.values())
    if isinstance(content, list | tuple):
        for one in content:
            _check_tensors(one)
    elif isinstance(content, Tensor) and content.layout == torch.strided:
        shown = content.numel() * content.element_size()
        if shown > SMALL + content.untyped_storage().nbytes():
            raise ValueError(f"a tensor of shape {tuple(content.shape)} has too few numbers.")


def read_array(path: Path) -> NDArray[Any]:
    """The array of numbers or texts in a `.npy` file.

    Raises:
        ValueError: the file is missing, cut short, of another format, or of pickled objects.
    """
    try:
        with path.open("rb") as file:
            shape, kind = _header(file)
            promised = math.prod(shape) * kind.itemsize
            if kind.hasobject or min(shape, default=0) < 0:
                raise ValueError(f"its header promises {shape} of {kind}.")
            if promised > path.stat().st_size - file.tell():
                raise ValueError(f"its header promises {promised} bytes, and it has fewer.")
            file.seek(0)
            return np.asarray(np.load(file, allow_pickle=False))
    except FileNotFoundError:
        raise ValueError(f"no array at {path}.") from None
    except Exception as error:  # numpy reads the header as Python, which fails in many ways
        raise ValueError(f"{path} is cut short or no array of numbers or texts: {error}") from error


def _header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and kind of the array in a `.npy` file, read from its header."""
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, kind = read(file)
    return shape, kind


class _Unpickler(pickle.Unpickler):
    """Makes plain values, and what it is given by name; refuses whatever else a pickle asks for."""

    def __init__(self, content: bytes, known: Mapping[str, Any], encoding: str) -> None:
        super().__init__(io.BytesIO(content), encoding=encoding)
        self._known = known

    def find_class(self, module: str, name: str) -> Any:
        """What the name stands for; only the package counts, since modules moved within theirs."""
        key = f"{module.partition('.')[0]}.{name}"
        if key in self._known:
            return self._known[key]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def _check_pickle(content: bytes, allowed: Set[str]) -> None:
    """Check what a pickle would do before any of it is done.

    Raises:
        UnpicklingError: it would make more than plain values, number its values beyond their count,
            name sizes beyond its own, hold more lists than bytes allow, or name a tuple twice
            (nested, these are keys that take for ever).
    """
    numbered = made = 0
    tuples: set[int] = set()
    before = ""
    for code, argument, place in pickletools.genops(content):
        if code.name not in allowed:
            raise pickle.UnpicklingError(f"it holds {code.name} at byte {place}")
        if code.name in NUMBERED:
            number = numbered if argument is None else argument
            numbered += 1
            if number > numbered + SLACK:
                raise pickle.UnpicklingError(f"value {numbered} has the number {number}")
            if "TUPLE" in before:
                tuples.add(number)
        elif code.name in MADE:
            made += 1
        elif argument in tuples and code.name in NAMED:
            raise pickle.UnpicklingError(f"it names a tuple again at byte {place}")
        before = code.name
    if made > SLACK + len(content) // BYTES_EACH:
        raise pickle.UnpicklingError(f"it makes {made} lists and mappings of {len(content)} bytes")


def read_pickle(content: bytes, path: Path, known: Mapping[str, Any] | None = None) -> Any:
    """What a pickle of Python 2 or 3 holds: plain values, and what is `known` as "package.name".

    What it takes in memory is bounded by a multiple of its size.

    Raises:
        ValueError: it is no pickle, is cut short, asks for anything else, or for more memory.
    """
    try:
        _check_pickle(content, PLAIN | CALLS if known else PLAIN)
        # Python 2 wrote texts that are bytes to Python 3, most in UTF-8.
        try:
            return _Unpickler(content, known or {}, "utf-8").load()
        except UnicodeDecodeError:
            return _Unpickler(content, known or {}, "latin-1").load()
    except Exception as error:  # whatever a damaged pickle makes of its reader
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


def read_state(path: Path, keys: tuple[str, ...]) -> dict[str, Tensor]:
    """The state dict in a file of `torch.save`: the whole content, or under the first of `keys`.

    Raises:
        ValueError: the file cannot be read, or holds none.
    """
    content = read_torch(path)
    alone = isinstance(content, Mapping) and any(isinstance(t, Tensor) for t in content.values())
    return state_of({"": content} if alone else content, ("",) if alone else keys, path)


def without(state: Mapping[str, Tensor], prefixes: tuple[str, ...]) -> dict[str, Tensor]:
    """The tensors whose names begin with none of the prefixes."""
    return {name: tensor for name, tensor in state.items() if not name.startswith(prefixes)}
