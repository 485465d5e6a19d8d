"""Settings as their dataclasses say them: key, type, default, and the comment beside the field."""

import ast
import dataclasses
import inspect
import io
import re
import textwrap
import tokenize
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from docs_site.page import code, prose, table


@dataclass(frozen=True)
class Setting:
    """One setting: how its key is written, its type, its default as code, and what it says."""

    key: str
    type: str
    default: str
    meaning: str


def settings(kind: type, prefix: str = "", given: Any = None) -> Iterator[Setting]:
    """The fields of a settings dataclass; those of a group inside it by dotted keys.

    `given` is an object whose values are the defaults.
    """
    comments, types = _said(kind), _types(kind)
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        if not field.init:
            continue
        value = _default(field) if given is None else getattr(given, field.name)
        inner = _group(hints[field.name])
        if inner is not None:
            base = value if isinstance(value, inner) else None
            yield from settings(inner, f"{prefix}{field.name}.", base)
            continue
        meaning = comments.get(field.name, "")
        yield Setting(prefix + field.name, types[field.name], _shown(value), meaning)


def schema_rows(kind: type) -> list[Setting]:
    """The fields of a stored dataclass, those of dataclasses inside it left to themselves."""
    types, said = _types(kind), _said(kind)
    return [
        Setting(one.name, types[one.name], _shown(_default(one)), said.get(one.name, ""))
        for one in dataclasses.fields(kind)
    ]


def settings_table(kind: type, prefix: str = "") -> str:
    """A table of a settings dataclass; nothing where it has no fields."""
    return table(
        ("key", "type", "default", "meaning"),
        [
            (code(one.key), code(one.type), code(one.default), prose(one.meaning))
            for one in settings(kind, prefix)
        ],
    )


def docstring(thing: Any) -> str:
    """The docstring of a class or function as Markdown, its `Raises:` and `Args:` left out."""
    text = inspect.getdoc(thing) or ""
    for heading in ("Raises:", "Args:", "Returns:", "Attributes:"):
        text = text.partition(f"\n{heading}")[0]
    return prose(text)


def _group(hint: Any) -> type | None:
    """The settings dataclass that a field is a group of."""
    kinds = [one for one in (hint, *typing.get_args(hint)) if isinstance(one, type)]
    found = [one for one in kinds if dataclasses.is_dataclass(one)]
    return found[0] if found and not isinstance(typing.get_origin(hint), type) else None


def _default(field: "dataclasses.Field[Any]") -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return dataclasses.MISSING


def _shown(value: Any) -> str:
    if value is dataclasses.MISSING:
        return ""
    text = f'"{value}"' if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _classes(kind: type) -> Iterator[tuple[type, str]]:
    """A dataclass and those it inherits from, the oldest first, with their source."""
    for one in reversed(kind.__mro__):
        if dataclasses.is_dataclass(one):
            yield one, textwrap.dedent(inspect.getsource(one))


@cache
def _types(kind: type) -> dict[str, str]:
    """The type of each field, as it is written."""
    return {
        node.target.id: ast.unparse(node.annotation)
        for _, source in _classes(kind)
        for node in ast.parse(source).body[0].body  # type: ignore[attr-defined]
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }


@cache
def _said(kind: type) -> dict[str, str]:
    """What the source says of each field: `Attributes:`, comments above or beside it."""
    said: dict[str, str] = {}
    for one, source in _classes(kind):
        said |= {key: words for key, words in _mentions(one).items() if key not in said}
        said |= _attributes(inspect.getdoc(one) or "")
        comments = {
            token.start[0]: (token.string.lstrip("# "), token.line.lstrip().startswith("#"))
            for token in tokenize.generate_tokens(io.StringIO(source).readline)
            if token.type == tokenize.COMMENT
        }
        for node in ast.parse(source).body[0].body:  # type: ignore[attr-defined]
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                words = [*_above(comments, node.lineno), *_beside(comments, node)]
                if words:
                    said[node.target.id] = " ".join(words)
    return said


def _above(comments: dict[int, tuple[str, bool]], line: int) -> list[str]:
    words: list[str] = []
    while (found := comments.get(line - 1, ("", False)))[1]:
        words.insert(0, found[0])
        line -= 1
    return words


def _beside(comments: dict[int, tuple[str, bool]], node: ast.AnnAssign) -> list[str]:
    lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
    return [comments[line][0] for line in lines if line in comments and not comments[line][1]]


def _mentions(kind: type) -> dict[str, str]:
    """The first sentence of a dataclass's docstring that names each field."""
    text = " ".join((inspect.getdoc(kind) or "").partition("\nAttributes:")[0].split())
    sentences = re.split(r"(?<=[.!?]) (?=[A-Z`])", text.partition(" Raises:")[0])
    named = [(name, one) for one in sentences for name in re.findall(r"`(\w+)`", one)]
    return dict(reversed(named))


def _attributes(text: str) -> dict[str, str]:
    """The entries of a docstring's `Attributes:`."""
    entries: dict[str, str] = {}
    name = ""
    for line in text.partition("Attributes:\n")[2].splitlines():
        indent = len(line) - len(line.lstrip())
        if line.strip() and indent == 0:
            break
        if indent == 4 and ":" in line:
            name, _, said = line.strip().partition(":")
            entries[name] = said.strip()
        elif name and line.strip():
            entries[name] += f" {line.strip()}"
    return entries
