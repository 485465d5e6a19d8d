"""Reads plain values of JSON or Parquet as trees of frozen dataclasses, with checks.

The input may come from anybody: besides types, sizes and depth are checked.
"""

import dataclasses
import functools
import itertools
import math
import re
import reprlib
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import (
    Annotated,
    Any,
    Literal,
    TypeAlias,
    get_args,
    get_origin,
    get_type_hints,
    no_type_check,
)

LONGEST_NAME = 4096  # characters of a key or a name
LONGEST_TEXT = 1 << 24  # characters
DEEPEST = 32  # nested lists and mappings in a value of any form


@dataclass(frozen=True)
class Meets:
    """A condition on a value beyond its type, written `Annotated[str, Meets(...)]`."""

    holds: Callable[[Any], object]
    otherwise: str


BlobName: TypeAlias = Annotated[
    str, Meets(re.compile(r"[0-9a-f]{64}").fullmatch, "no SHA-256 in hexadecimal")
]
Name: TypeAlias = Annotated[
    str, Meets(lambda text: len(text) <= LONGEST_NAME, f"longer than {LONGEST_NAME} characters")
]
Unbounded: TypeAlias = Annotated[float, Meets(lambda number: number == number, "no number")]
"""A number that may be infinite."""
AnyFloat: TypeAlias = Annotated[float, Meets(lambda number: True, "")]

_BOUNDS: Mapping[Any, Meets] = {
    str: Meets(lambda text: len(text) <= LONGEST_TEXT, f"longer than {LONGEST_TEXT} characters"),
    int: Meets(lambda number: -(1 << 63) <= number < 1 << 63, "no number of 64 bits"),
    float: Meets(math.isfinite, "no finite number"),
    bool: Meets(lambda truth: True, ""),
}
FromPlain: TypeAlias = Callable[[Any], Any]
_shown = reprlib.Repr()
_shown.maxstring = _shown.maxother = 80


class _WrongError(Exception):
    """What is wrong, and the path to it from the inside out."""

    def __init__(self, value: object, otherwise: str) -> None:
        self.said = f"is {_shown.repr(value)} and {otherwise}"
        self.way: list[str] = []


def typed(kind: Any, value: Any) -> Any:
    """A value of a type, from the output of `dataclasses.asdict`, before or after JSON.

    The type is a dataclass, `X | None`, `tuple[X, ...]`, `tuple[X, Y]`, `list[X]`, `Sequence[X]`,
    `Mapping[str, X]`, a Literal, Any, or what JSON itself holds, `Annotated` with what it `Meets`.
    A field that has a default may be missing or None; other keys are ignored. Numbers are
    finite where the type does not say otherwise.

    Raises:
        ValueError: a part is missing, of another type, too large or too deep; the clause names its
            place.
    """
    try:
        return _reader(kind)(value)
    except _WrongError as wrong:
        place = ".".join(reversed(wrong.way))
        if wrong.said:
            raise ValueError(f"{place or 'it'} {wrong.said}") from None
        raise ValueError(f"it lacks {place!r}") from None


# Runs of millions of records are read: a type is examined once, and tests do not check the
# arguments of the calls that follow.
@functools.cache
@no_type_check
def _reader(kind: Any) -> FromPlain:
    """The reader of values of a type."""
    origin, parts = get_origin(kind), get_args(kind)
    if kind is Any:
        return lambda value: _plain(value, DEEPEST)
    if origin is types.UnionType or origin is typing.Union:
        some = _reader(next(part for part in parts if part is not types.NoneType))
        return lambda value: None if value is None else some(value)
    if origin is Annotated:
        return _reader_of_met(parts[0], parts[1])
    if kind in _BOUNDS:
        return _reader_of_met(kind, _BOUNDS[kind])
    if dataclasses.is_dataclass(kind):
        return _reader_of_dataclass(kind)
    if origin is Literal:
        return functools.partial(_literal, parts)
    if origin in (Mapping, dict):
        return functools.partial(_mapping, _reader(parts[1]))
    if origin in (tuple, list, Sequence):
        several = origin is not tuple or parts[1:] == (...,)
        readers = [_reader(part) for part in (parts[:1] if several else parts)]
        return functools.partial(_sequence, origin, readers, several)

    def none(value):
        raise _WrongError(value, f"no {getattr(origin or kind, '__name__', kind)}")

    return none


@no_type_check
def _reader_of_met(kind: Any, bound: Meets) -> FromPlain:
    accepted = (int, float) if kind is float else kind

    def read(value):
        if type(value) is kind and bound.holds(value):
            return value
        if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
            raise _WrongError(value, f"no {kind.__name__}")
        if kind is float and isinstance(value, int) and value.bit_length() > 1000:
            raise _WrongError(value, "no finite number")
        if not bound.holds(value):
            raise _WrongError(value, bound.otherwise)
        return kind(value)

    return read


@no_type_check
def _literal(known: tuple[str, ...], value: Any) -> Any:
    if isinstance(value, str) and value in known:
        return value
    raise _WrongError(value, f"none of {', '.join(known)}")


@no_type_check
def _mapping(read: FromPlain, value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise _WrongError(value, "no Mapping")
    return {_key(key): _at(key, read, one) for key, one in value.items()}


@no_type_check
def _sequence(origin: Any, readers: Sequence[FromPlain], several: bool, value: Any) -> Any:
    if not isinstance(value, list | tuple):
        raise _WrongError(value, f"no {origin.__name__}")
    if not several and len(readers) != len(value):
        raise _WrongError(value, f"not of length {len(readers)}")
    every = itertools.repeat(readers[0], len(value)) if several else readers
    read = [_at(n, *pair) for n, pair in enumerate(zip(every, value, strict=True))]
    return tuple(read) if origin is tuple else read


@no_type_check
def _at(place: object, read: FromPlain, value: Any) -> Any:
    try:
        return read(value)
    except _WrongError as wrong:
        wrong.way.append(_shown.repr(place) if len(str(place)) > 80 else str(place))
        raise


@no_type_check
def _key(key: Any) -> Any:
    return _reader(Name)(key)


@no_type_check
def _plain(value: Any, depth: int) -> Any:
    """A value of any form, if it is not nested too deep."""
    if depth == 0:
        raise _WrongError(value, f"nested deeper than {DEEPEST}")
    if isinstance(value, Mapping):
        return {_key(key): _plain(one, depth - 1) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(one, depth - 1) for one in value)
    return value


@no_type_check
def _reader_of_dataclass(kind: Any) -> FromPlain:
    hints = get_type_hints(kind, include_extras=True)
    # Name and reader of each field, whether it must be there, and whether it may be None.
    fields = [
        (
            field.name,
            _reader(hints[field.name]),
            field.default is field.default_factory is dataclasses.MISSING,
            hints[field.name] is Any or types.NoneType in get_args(hints[field.name]),
        )
        for field in dataclasses.fields(kind)
    ]

    def read(value):
        if not isinstance(value, Mapping):
            raise _WrongError(value, f"no {kind.__name__}")
        given = {}
        for name, of_field, needed, optional in fields:
            one = value.get(name)
            if needed and name not in value:
                missing = _WrongError(None, "")
                missing.said, missing.way = "", [name]
                raise missing
            if one is not None or (name in value and (optional or needed)):
                given[name] = _at(name, of_field, one)
        return kind(**given)

    return read
