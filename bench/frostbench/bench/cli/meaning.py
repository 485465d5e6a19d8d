"""Reads values by the types of their fields: a text stays as it was typed."""

import dataclasses
import os
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from frostbench.plugins.host.settings import read_value
from frostbench.plugins.host.texts import no_text
from frostbench.plugins.host.words import plain, several

PATH = {"path": True}
"""Marks fields whose texts are paths, in which `~` is the home folder."""


def words_tree(schema: type, words: Sequence[str]) -> dict[str, Any]:
    """The values of `key.part=value` words, as a tree.

    Raises:
        ValueError: a value does not fit its key.
    """
    tree: dict[str, Any] = {}
    for word in words:
        path, _, value = word.partition("=")
        *above, last = path.split(".")
        if not all((*above, last)):
            raise ValueError(f"{word!r} has no key before its '='; write KEY=VALUE.")
        place = tree
        for part in above:
            inner = place.get(part)
            if not isinstance(inner, dict):
                inner = place[part] = {}
            place = inner
        place[last] = _Typed(value)
    return {key: _each(_kept, value) for key, value in _meant(schema, tree).items()}


def file_tree(schema: type, file: Path) -> dict[str, Any]:
    """The values of a YAML file, as a tree; `${...}` is left in it.

    Raises:
        ValueError: it is no YAML, holds no keys, or a value does not fit its key.
    """
    tree = _documented(file.read_bytes())
    if not isinstance(tree, Mapping):
        raise ValueError("it holds no keys; write KEY: VALUE.")
    return {key: _each(_whole, value) for key, value in _meant(schema, _unfolded(tree)).items()}


def _documented(content: bytes) -> Any:
    """Read a YAML document; errors name the line.

    Raises:
        ValueError: it is none.
    """
    import yaml

    try:
        return _load(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = 1 + content.count(b"\n", 0, error.start)
        raise ValueError(no_text(f"line {line}", error)) from error
    except yaml.reader.ReaderError as error:
        raise ValueError(
            f"it holds the sign {error.character:#x}, which is in no text, and is no file of keys."
        ) from error
    except yaml.MarkedYAMLError as error:
        lines = content.decode("utf-8-sig").splitlines()
        number = error.problem_mark.line if error.problem_mark else 0
        shown = lines[number].strip()[:60] if number < len(lines) else "the end of the file"
        raise ValueError(f"line {number + 1} is no YAML of keys and values: {shown}.") from error
    except RecursionError as error:
        raise ValueError("it nests too deep.") from error


def values_tree(schema: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Python values as a tree; "method.v2l.words" is the same as {"method": {"v2l": ...}}.

    Raises:
        ValueError: a value does not fit its key.
    """
    tree: dict[str, Any] = {}
    for name, value in values.items():
        *above, last = undotted(name).split(".")
        place = tree
        for part in above:
            place = place.setdefault(part, {})
        place[last] = _plain_value(value)
    return {key: _each(_kept, value) for key, value in _meant(schema, tree).items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain_value(one) for key, one in value.items()}
    return [_plain_value(one) for one in value] if isinstance(value, list | tuple) else value


def undotted(key: str) -> str:
    """`plugins.disabled` under the name of its field; `plugins` by itself is a list."""
    fields = {"plugins.disabled": "plugins_disabled", "plugins.files": "plugins"}
    return fields.get(key, key)


class _Typed(str):
    """A text that was not marked as text."""


class _Bare(_Typed):
    """A text that stands in a file without quotes."""


def _load(content: str) -> Any:
    """Read a YAML document, with values as the texts that are written there."""
    import yaml

    class AsWritten(yaml.SafeLoader):  # type: ignore[misc]
        """Converts no text to a number, and refuses repeated keys."""

        yaml_implicit_resolvers: typing.ClassVar[dict[str, Any]] = {
            "<": [("tag:yaml.org,2002:merge", re.compile("<<"))]
        }

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            known: set[str] = set()
            for key in keys:
                if key.value in known and key.value != "<<":
                    line = key.start_mark.line + 1
                    raise ValueError(
                        f"line {line} has the key {key.value!r}, which is there twice."
                    )
                known.add(key.value)
            return dict(super().construct_mapping(node, deep))

    def text(loader: Any, node: Any) -> str:
        return _Bare(node.value) if node.style is None else str(node.value)

    AsWritten.add_constructor("tag:yaml.org,2002:str", text)
    return yaml.load(content, AsWritten) or {}


def _unfolded(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    """The file's keys, with `plugins: {files: [...], disabled: [...]}` as two lists."""
    plugins = tree.get("plugins")
    if not isinstance(plugins, Mapping):
        return tree
    both = {undotted(f"plugins.{key}"): value for key, value in plugins.items()}
    return {**{key: value for key, value in tree.items() if key != "plugins"}, **both}


def _meant(schema: type, tree: Mapping[str, Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(schema)
    paths = {field.name for field in dataclasses.fields(schema) if field.metadata == PATH}
    read = {str(key): _value(hints.get(key, Any), value, str(key)) for key, value in tree.items()}
    return {
        key: _each(os.path.expanduser, value) if key in paths else value
        for key, value in read.items()
    }


def _value(hint: Any, said: Any, where: str) -> Any:
    """A value as a field of this type wants it."""
    if isinstance(said, _Bare) and "${" in said:  # filled in later
        return str(said)
    kind, inner = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(said, _Bare) and said in ("", "~") and (hint is Any or type(None) in inner):
        return None
    if hint is Any:
        return _anything(said)
    if kind is list:
        items = several(said) if isinstance(said, str) else said
        if not _is_list(items):
            raise ValueError(f"{where} is a list, and was given {said!r}.")
        return [_value(inner[0], one, where) for one in items]
    if kind is dict:
        if isinstance(said, str) and said.startswith("{"):
            said = _braces(said)
        if not isinstance(said, Mapping):
            raise ValueError(f"{where} has keys of its own: write {where}.KEY=VALUE, not {said!r}.")
        return {str(key): _value(inner[1], one, f"{where}.{key}") for key, one in said.items()}
    return read_value(hint, str(said) if isinstance(said, str) else said, where)


def _braces(text: str) -> Any:
    """Read `{key: value}` as a mapping; other texts stay as they are."""
    import yaml

    try:
        return _load(text)
    except yaml.YAMLError:
        return text


def _anything(said: Any) -> Any:
    """A value of unknown type, which is converted later."""
    if isinstance(said, Mapping):
        return {str(key): _value(Any, value, "") for key, value in said.items()}
    if _is_list(said):
        return [_value(Any, value, "") for value in said]
    return plain(str(said)) if isinstance(said, _Typed) else said


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _each(change: Callable[[str], str], value: Any) -> Any:
    """The value with every text in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _each(change, one) for key, one in value.items()}
    return [_each(change, one) for one in value] if isinstance(value, list) else value


def _whole(text: str) -> str:
    """The text, if a file can hold it.

    Raises:
        ValueError: it holds a lone surrogate, which UTF-8 cannot encode.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{text!r} is no text in UTF-8.") from error
    return text


def _kept(text: str) -> str:
    """A text protected from OmegaConf's interpolation.

    Raises:
        ValueError: it is OmegaConf's mark for a missing value.
    """
    _whole(text)
    if text == "???":
        raise ValueError("??? stands for a value that is missing; write one.")
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", text)
