"""Encodes the messages between a run and the process of an isolated method.

A message is a tree of plain values, tensors and the small frozen types of the contract. Reading one
builds those and nothing else: unlike a pickle it can name no function, class or file to load, so
that the run may read what a stranger's process wrote.
"""

import json
import math
import operator
import struct
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from frostbench.plugins.contract import completions, detection, predictions, prompts, requests
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.tokens import (
    Continuous,
    Grid,
    Pyramid,
    Ranked,
    Texts,
    VisualTokens,
    tensors_of,
)
from frostbench.plugins.engine.resolve import Feed

MOST_BYTES = 1 << 32
"""Most bytes of one message, which a process can make the run hold at once."""
MOST_TREE = 1 << 28
"""Most bytes of its tree."""
KEPT_BYTES = 1 << 26
"""Most bytes of tensors that are remembered and not sent twice; beyond, both sides forget them."""

_KINDS: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        *(Image, VisualTokens, Grid, Ranked, Pyramid, Continuous, Texts),
        *(
            kind
            for module in (completions, detection, predictions, prompts, requests)
            for kind in vars(module).values()
            if isinstance(kind, type) and is_dataclass(kind) and kind.__module__ == module.__name__
        ),
    )
}
_FIELDS = {kind: [one.name for one in fields(kind)] for kind in _KINDS.values()}
_ONCE = (Image, VisualTokens, frozenset)
"""Types whose values many messages share: each value is sent once, and later by its number."""
_DTYPES = {
    str(one).removeprefix("torch."): one
    for one in (
        *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
        *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
    )
}
_LENGTH = struct.Struct("<Q")


class MessageError(Exception):
    """A message that cannot be written or read; the error's text is a clause."""


class MessageWriter:
    """Writes messages; `MessageReader` reads them in the same order.

    `number` gives numbers to functions in messages; without it functions are refused.
    """

    def __init__(self, number: Callable[[Feed], int] | None = None) -> None:
        self._number = number
        self._anew = True
        self._forget()

    def _forget(self) -> None:
        self._known: dict[int, tuple[int, object]] = {}  # keeps numbered objects alive
        self._kept_bytes = 0

    def write(self, value: object) -> list[bytes | memoryview]:
        """A message, as a list of byte strings.

        Raises:
            MessageError: it holds something that is no part of the contract.
        """
        if self._kept_bytes > KEPT_BYTES:
            self._forget()
            self._anew = True
        self._tensors: list[Tensor] = []
        try:
            tree = self._tree(value)
        except BaseException:
            self._forget()
            self._anew = True
            raise
        heads = [
            [str(one.dtype).removeprefix("torch."), list(one.shape), str(one.device)]
            for one in self._tensors
        ]
        head = json.dumps([self._anew, heads, tree], separators=(",", ":")).encode()
        data = [_bytes_of(one) for one in self._tensors]
        self._anew, self._tensors = False, []
        size = len(head) + sum(map(len, data))
        return [_LENGTH.pack(size), _LENGTH.pack(len(head)), head, *data]

    def _tree(self, value: Any) -> Any:
        match value:
            case None | bool():
                return value
            case str():
                return str.__str__(value)
            case float():
                return float(value)
            case list():
                return self._list(value)
            case tuple():
                return {"tuple": self._list(value)}
            case Mapping():
                return {"dict": [self._list(pair) for pair in value.items()]}
            case Tensor():
                self._tensors.append(_plain(value))
                return {"tensor": len(self._tensors) - 1}
            case np.generic():
                return self._tree(value.item())
            case Path():
                return {"path": str(value)}
            case _ if isinstance(value, _ONCE):
                return self._once(value)
        kind = next((one for one in type(value).__mro__ if one in _FIELDS), None)
        if kind is not None:
            return self._object(value, kind)
        if hasattr(type(value), "__index__"):
            return operator.index(value)
        if callable(value) and self._number is not None:
            return {"feed": self._number(value)}
        raise MessageError(f"a {type(value).__name__} is no part of the contract")

    def _list(self, values: Sequence[Any]) -> list[Any]:
        return [one if type(one) is int else self._tree(one) for one in values]

    def _object(self, value: Any, kind: type) -> Any:
        return {kind.__name__: [self._tree(getattr(value, name)) for name in _FIELDS[kind]]}

    def _once(self, value: Any) -> Any:
        if id(value) in self._known:
            return {"known": self._known[id(value)][0]}
        before = len(self._tensors)
        if isinstance(value, frozenset):
            self._tensors.append(torch.tensor(sorted(map(operator.index, value)), dtype=torch.long))
            tree: Any = {"ids": before}
        else:
            tree = self._object(value, Image if isinstance(value, Image) else VisualTokens)
        self._kept_bytes += _size_of(value)
        self._known[id(value)] = (len(self._known), value)
        return {"new": tree}


class MessageReader:
    """Reads messages.

    `devices` are the kinds of devices that tensors may be put on; `feed` gives the function with a
    number.
    """

    def __init__(
        self, devices: Collection[str] = ("cpu",), feed: Callable[[int], Feed] | None = None
    ) -> None:
        self._devices = {"cpu", *devices}
        self._feed = feed
        self._known: list[Any] = []
        self._kept_bytes = 0
        self._build: Mapping[str, Callable[[Any], Any]] = {
            "tuple": lambda values: tuple(map(self._value, values)),
            "dict": lambda pairs: {self._value(key): self._value(one) for key, one in pairs},
            "tensor": lambda index: self._tensors[index],
            "ids": lambda index: frozenset(self._tensors[index].tolist()),
            "path": lambda text: Path(_text(text)),
            "known": lambda index: self._known[index],
            "new": self._new,
            "feed": self._function,
        }

    def read(self, message: memoryview) -> Any:
        """The value of a message, without the length before it.

        Raises:
            MessageError: it is none.
        """
        try:
            (size,) = _LENGTH.unpack_from(message)
            if size > MOST_TREE:
                raise ValueError("it is too long")
            at = _LENGTH.size + size
            anew, heads, tree = json.loads(bytes(message[_LENGTH.size : at]))
            if anew:
                self._known, self._kept_bytes = [], 0
            if self._kept_bytes > KEPT_BYTES:
                raise ValueError("more is to be remembered than was agreed")
            self._tensors: list[Tensor] = []
            for dtype, shape, device in heads:
                kind = _DTYPES[dtype]
                end = at + math.prod(map(_count, shape)) * kind.itemsize
                self._tensors.append(self._tensor(message[at:end], kind, shape, device))
                at = end
            if at != len(message):
                raise ValueError("its length is another")
            return self._value(tree)
        except Exception as error:  # a stranger's bytes can fail in any way
            said = f"{type(error).__name__}: {str(error).partition(chr(10))[0][:200]}"
            raise MessageError(f"the message cannot be read: {said}") from error
        finally:
            self._tensors = []

    def _tensor(
        self, data: memoryview, dtype: torch.dtype, shape: list[int], device: str
    ) -> Tensor:
        if len(data) != math.prod(shape) * dtype.itemsize:
            raise ValueError("a tensor is cut short")
        if device.partition(":")[0] not in self._devices:
            raise ValueError(f"no tensor is wanted on {device!r}")
        if not data:
            return torch.empty(shape, dtype=dtype, device=device)
        return torch.frombuffer(bytearray(data), dtype=dtype).reshape(shape).to(device)

    def _value(self, tree: Any) -> Any:
        if isinstance(tree, list):
            return [self._value(one) if isinstance(one, list | dict) else one for one in tree]
        if not isinstance(tree, dict):
            return tree
        ((name, given),) = tree.items()
        if name in self._build:
            return self._build[name](given)
        kind = _KINDS[name]
        return kind(**dict(zip(_FIELDS[kind], map(self._value, given), strict=True)))

    def _new(self, tree: Any) -> Any:
        self._known.append(value := self._value(tree))
        self._kept_bytes += _size_of(value)
        return value

    def _function(self, number: int) -> Feed:
        if self._feed is None:
            raise ValueError("no function is wanted")
        return self._feed(_count(number))


def _size_of(value: Image | VisualTokens | frozenset[int]) -> int:
    """About how many bytes are kept for a value that is sent once."""
    match value:
        case Image(pixels, _, whole):
            tensors = [pixels] if whole is None else [pixels, whole]
        case VisualTokens(parts):
            tensors = [one for part in parts.values() for one in tensors_of(part)]
        case _:
            return 100 * len(value) + 100
    return sum(one.nbytes for one in tensors) + 100


def _plain(tensor: Tensor) -> Tensor:
    """A tensor as it is sent: its values alone."""
    plain = tensor.detach()
    if type(plain) is not Tensor:
        plain = plain.as_subclass(Tensor)
    if str(plain.dtype).removeprefix("torch.") not in _DTYPES:
        raise MessageError(f"a tensor of {plain.dtype} is no part of the contract")
    return plain


def _bytes_of(tensor: Tensor) -> bytes | memoryview:
    if not tensor.numel():
        return b""
    flat = tensor.cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value


def _text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError(f"{value!r} is no text")
    return value
