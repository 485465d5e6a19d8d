"""Plain values, as JSON holds them, read as trees of frozen dataclasses."""

import dataclasses
from collections.abc import Mapping
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints


def typed(kind: Any, value: Any, place: str = "") -> Any:
    """A value of a type: what `dataclasses.asdict` described, before or after JSON.

    The type is a dataclass, `X | None`, `tuple[X, ...]`, `Mapping[str, X]`, a Literal, Any, or what
    JSON itself holds. A field that has a default may be missing; other keys are passed over.

    Raises:
        ValueError: a part is missing or of another type; the clause names its place.
    """
    origin, parts = get_origin(kind), get_args(kind)
    if kind is Any or (origin is UnionType and value is None):
        return value
    if origin is UnionType:
        return typed(parts[0], value, place)
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, value, place)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(typed(parts[0], one, f"{place}.{n}") for n, one in enumerate(value))
    if origin is Mapping and isinstance(value, Mapping):
        return {key: typed(parts[1], one, f"{place}.{key}") for key, one in value.items()}
    if origin is Literal and value in parts:
        return value
    if origin is None and isinstance(value, (int, float) if kind is float else kind):
        return kind(value)
    wanted = f"none of {', '.join(parts)}" if origin is Literal else f"no {kind.__name__}"
    raise ValueError(f"{place[1:]} is {value!r} and {wanted}")


def _dataclass(kind: Any, value: Any, place: str) -> Any:
    if not isinstance(value, Mapping):
        raise ValueError(f"{place[1:]} is {value!r} and no {kind.__name__}")
    hints = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        needed = field.default is field.default_factory is dataclasses.MISSING
        if needed and field.name not in value:
            raise ValueError(f"it lacks {f'{place}.{field.name}'[1:]!r}")
    return kind(
        **{
            name: typed(hint, value[name], f"{place}.{name}")
            for name, hint in hints.items()
            if name in value
        }
    )
