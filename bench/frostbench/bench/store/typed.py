"""Plain values, as JSON and Parquet hold them, read as trees of frozen dataclasses.

What is read may come from anybody: besides types, sizes and depth are bounded.
"""

import dataclasses
import functools
import math
import re
import reprlib
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias, get_args, get_origin, get_type_hints

LONGEST_NAME = 4096  # characters of a key or a name
LONGEST_TEXT = 1 << 24  # characters
DEEPEST = 32  # nested lists and mappings in a value of any form


@dataclass(frozen=True)
class Meets:
    """What a value must be beyond its type, written `Annotated[str, Meets(...)]`."""

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
_shown = reprlib.Repr()
_shown.maxstring = _shown.maxother = 80


class _WrongError(Exception):
    """What is wrong, and the way to it from the inside out."""

    def __init__(self, value: object, otherwise: str) -> None:
        self.said = f"is {_shown.repr(value)} and {otherwise}"
        self.way: list[str] = []


def typed(kind: Any, value: Any) -> Any:
    """A value of a type: what `dataclasses.asdict` described, before or after JSON.

    The type is a dataclass, `X | None`, `tuple[X, ...]`, `tuple[X, Y]`, `list[X]`, `Sequence[X]`,
    `Mapping[str, X]`, a Literal, Any, or what JSON itself holds, `Annotated` with what it `Meets`.
    A field that has a default may be missing or None; other keys are passed over. Numbers are
    finite where the type does not say otherwise.

    Raises:
        ValueError: a part is missing, of another type, too large or too deep; the clause names its
            place.
    """
    try:
        return _read(kind, value)
    except _WrongError as wrong:
        place = ".".join(reversed(wrong.way))
        if wrong.said:
            raise ValueError(f"{place or 'it'} {wrong.said}") from None
        raise ValueError(f"it lacks {place!r}") from None


def _read(kind: Any, value: Any) -> Any:
    origin, parts = get_origin(kind), get_args(kind)
    if kind is Any:
        return _plain(value, DEEPEST)
    if origin is types.UnionType or origin is typing.Union:
        some = next(part for part in parts if part is not types.NoneType)
        return None if value is None else _read(some, value)
    if origin is Annotated:
        return _met(parts[0], value, parts[1])
    if kind in _BOUNDS:
        return _met(kind, value, _BOUNDS[kind])
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, value)
    if origin is Literal:
        if isinstance(value, str) and value in parts:
            return value
        raise _WrongError(value, f"none of {', '.join(parts)}")
    if origin in (Mapping, dict) and isinstance(value, Mapping):
        return {_key(key): _at(key, parts[1], one) for key, one in value.items()}
    if origin in (tuple, list, Sequence) and isinstance(value, list | tuple):
        several = parts[0] if origin is not tuple or parts[1:] == (...,) else None
        if several is None and len(parts) != len(value):
            raise _WrongError(value, f"not of length {len(parts)}")
        kinds = parts if several is None else [several] * len(value)
        read = [_at(n, part, one) for n, (part, one) in enumerate(zip(kinds, value, strict=True))]
        return tuple(read) if origin is tuple else read
    raise _WrongError(value, f"no {getattr(origin or kind, '__name__', kind)}")


def _met(kind: Any, value: Any, bound: Meets) -> Any:
    fits = isinstance(value, (int, float) if kind is float else kind)
    if not fits or (isinstance(value, bool) and kind is not bool):
        raise _WrongError(value, f"no {kind.__name__}")
    if kind is float and isinstance(value, int) and value.bit_length() > 1000:
        raise _WrongError(value, "no finite number")
    if not bound.holds(value):
        raise _WrongError(value, bound.otherwise)
    return kind(value)


def _at(place: object, kind: Any, value: Any) -> Any:
    try:
        return _read(kind, value)
    except _WrongError as wrong:
        wrong.way.append(_shown.repr(place) if len(str(place)) > 80 else str(place))
        raise


def _key(key: Any) -> Any:
    return _met(str, key, get_args(Name)[1])


def _plain(value: Any, depth: int) -> Any:
    """A value of any form, if it is not nested too deep."""
    if depth == 0:
        raise _WrongError(value, f"nested deeper than {DEEPEST}")
    if isinstance(value, Mapping):
        return {_key(key): _plain(one, depth - 1) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(one, depth - 1) for one in value)
    return value


@functools.cache
def _fields(kind: Any) -> tuple[tuple[str, Any, bool, bool], ...]:
    """Name and type of each field, whether it must be there, and whether it may be None."""
    hints = get_type_hints(kind, include_extras=True)
    return tuple(
        (
            field.name,
            hints[field.name],
            field.default is field.default_factory is dataclasses.MISSING,
            hints[field.name] is Any or types.NoneType in get_args(hints[field.name]),
        )
        for field in dataclasses.fields(kind)
    )


def _dataclass(kind: Any, value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise _WrongError(value, f"no {kind.__name__}")
    given = {}
    for name, hint, needed, optional in _fields(kind):
        one = value.get(name)
        if needed and name not in value:
            missing = _WrongError(None, "")
            missing.said, missing.way = "", [name]
            raise missing
        if one is not None or (name in value and (optional or needed)):
            given[name] = _at(name, hint, one)
    return kind(**given)
