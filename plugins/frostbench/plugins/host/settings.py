"""Settings: plain values of a user's configuration become a frozen dataclass, checked once.

>>> from dataclasses import dataclass
>>> @dataclass(frozen=True)
... class Prompting:
...     step: int = 2
>>> read_settings(Prompting, {"step": "4"}, "methods.mine")
Prompting(step=4)
"""

import dataclasses
import types
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from frostbench.plugins.host.errors import missing
from frostbench.plugins.host.words import number, several

S = TypeVar("S")

_TRUTH = dict.fromkeys(("true", "yes", "on", "1"), True)
_TRUTH |= dict.fromkeys(("false", "no", "off", "0"), False)
_SCALARS = (bool, int, float, str)


def read_settings(cls: type[S], values: Mapping[str, object], where: str) -> S:
    """Make the settings dataclass `cls` from plain values; what is not named keeps its default.

    A nested dataclass is given as a mapping, or by dotted keys (`{"restoration.step": 4}`). Text is
    read as the number or truth value that the field wants, since a command line knows only text;
    where the field wants text, a number or truth value is the text that was typed.

    Args:
        cls: A dataclass whose fields are bool, int, float, str, None, `Literal`, unions of these,
            `tuple[X, ...]`, `tuple[X, Y]` or dataclasses of these.
        values: Values by field.
        where: The path to them as the user wrote it, such as "method.v2l"; errors begin with it.

    Raises:
        ValueError: a key is unknown (the nearest is suggested), a value has the wrong type, a field
            without a default is missing, or the dataclass itself refuses the values.
    """
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}  # type: ignore[arg-type]
    hints = get_type_hints(cls)
    given: dict[str, Any] = {}
    for key, value in _nested(values, where).items():
        if key not in fields:
            raise ValueError(f"{where}: {missing('setting', key, fields)}")
        given[key] = read_value(hints[key], value, f"{where}.{key}")
    absent = [
        name
        for name, field in fields.items()
        if name not in given
        and field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
    ]
    if absent:
        raise ValueError(f"{where}: {', '.join(map(repr, absent))} must be given.")
    try:
        return cls(**given)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def check_chosen(what: str, asked: Sequence[str], known: Sequence[str]) -> None:
    """Check that one or more of `known` are asked for, and nothing else; errors call them `what`.

    >>> check_chosen("kinds", ("what",), ("what", "where"))

    Raises:
        ValueError: none is asked for, or an unknown one.
    """
    if not asked or not set(asked) <= set(known):
        raise ValueError(
            f"{what} are among {', '.join(known)}; asked were {', '.join(asked) or 'none'}."
        )


def _nested(values: Mapping[str, object], where: str) -> dict[str, object]:
    """Dotted keys folded into mappings."""
    folded: dict[str, object] = {}
    for key, value in values.items():
        head, dot, rest = str(key).partition(".")
        if not dot:
            inner = folded.get(head)
            both = isinstance(inner, Mapping) and isinstance(value, Mapping)
            folded[head] = {**value, **inner} if both else value  # type: ignore[dict-item]
            continue
        inner = folded.setdefault(head, {})
        if not isinstance(inner, Mapping):
            raise ValueError(f"{where}: {head!r} is given both a value and a part, {key!r}.")
        folded[head] = {**inner, rest: value}
    return folded


def read_value(hint: Any, value: object, where: str) -> Any:
    """The value as a field of this type wants it; `where` is its path as the user wrote it.

    Raises:
        ValueError: it has the wrong type.
    """
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _read_union(get_args(hint), value, where)
    if origin is Literal:
        return _read_choice(get_args(hint), value, where)
    if origin is tuple:
        return _read_tuple(get_args(hint), value, where)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if isinstance(value, hint):
            return value
        if isinstance(value, Mapping):
            return read_settings(hint, value, where)
        raise ValueError(f"{where} is a group of settings, and was given {value!r}.")
    return _read_plain(hint, value, where)


def _read_union(hints: Sequence[Any], value: object, where: str) -> Any:
    if type(None) in hints and (value is None or value in ("none", "null", "None")):
        return None
    if type(value) in hints and not isinstance(value, str):
        return value
    problems = []
    for hint in hints:
        if hint is not type(None):
            try:
                return read_value(hint, value, where)
            except ValueError as error:
                problems.append(error)
    raise problems[0]


def _read_choice(choices: Sequence[object], value: object, where: str) -> object:
    for choice in choices:
        if value == choice or (type(value) in _SCALARS and _typed(value) == _typed(choice)):
            return choice
    raise ValueError(f"{where} is one of {', '.join(map(repr, choices))}, not {value!r}.")


def _read_tuple(hints: Sequence[Any], value: object, where: str) -> tuple[Any, ...]:
    if isinstance(value, str):
        value = several(value)
    elif type(value) in _SCALARS:
        value = [value]
    if not isinstance(value, Sequence):
        raise ValueError(f"{where} is a list, and was given {value!r}.")
    if len(hints) == 2 and hints[1] is Ellipsis:
        hints = [hints[0]] * len(value)
    if len(hints) != len(value):
        raise ValueError(f"{where} has {len(hints)} values, and was given {len(value)}.")
    pairs = zip(hints, value, strict=True)
    return tuple(read_value(hint, item, f"{where}[{i}]") for i, (hint, item) in enumerate(pairs))


def _read_plain(hint: Any, value: object, where: str) -> Any:
    if hint is Any or hint is object or (isinstance(hint, type) and type(value) is hint):
        return value
    if hint is float and type(value) is int:
        return float(value)
    if hint is bool and isinstance(value, str | int) and str(value).lower() in _TRUTH:
        return _TRUTH[str(value).lower()]
    if hint is str and type(value) in _SCALARS:
        return _typed(value)
    if isinstance(value, str) and hint in (int, float):
        with suppress(ValueError):
            return number(value, hint)
    name = getattr(hint, "__name__", str(hint))
    raise ValueError(f"{where} is {_article(name)}, and was given {value!r}.")


def _typed(value: object) -> str:
    return str(value).lower() if type(value) is bool else str(value)


def _article(name: str) -> str:
    plain = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "a text"}
    return plain.get(name, name)
