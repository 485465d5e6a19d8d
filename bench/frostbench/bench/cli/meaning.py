"""Keys and values, of words and of files, as their fields mean them: text as it was typed."""

import dataclasses
import os
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from frostbench.plugins.host.settings import read_value
from frostbench.plugins.host.words import plain, several

PATH = {"path": True}
"""Marks fields whose texts are paths, in which `~` is the home folder."""


def words_tree(schema: type, words: Sequence[str]) -> dict[str, Any]:
    """What `key.part=value` words say.

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
    """What a YAML file says; `${...}` is left in it.

    Raises:
        ValueError: it holds no keys, or a value does not fit its key.
        yaml.YAMLError: it is no YAML.
    """
    tree = _load(file.read_bytes())
    if not isinstance(tree, Mapping):
        raise ValueError(f"{file} holds no keys.")
    return _meant(schema, _unfolded(tree))


def values_tree(schema: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """What Python values say; "method.v2l.words" is the same as {"method": {"v2l": ...}}.

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
    """A text of which nothing says that it is one."""


class _Bare(_Typed):
    """One that stands in a file without quotes."""


def _load(content: bytes) -> Any:
    """A YAML document whose values are the texts that are written there."""
    import yaml

    class AsWritten(yaml.SafeLoader):  # type: ignore[misc]
        """Makes no numbers of texts, and knows no key twice."""

        yaml_implicit_resolvers: typing.ClassVar[dict[str, Any]] = {
            "<": [("tag:yaml.org,2002:merge", re.compile("<<"))]
        }

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            twice = [key for key in keys if keys.count(key) > 1 and key != "<<"]
            if twice:
                raise ValueError(f"the key {twice[0]!r} is there twice{node.start_mark}.")
            return dict(super().construct_mapping(node, deep))

    def text(loader: Any, node: Any) -> str:
        return _Bare(node.value) if node.style is None else str(node.value)

    AsWritten.add_constructor("tag:yaml.org,2002:str", text)
    return yaml.load(content, AsWritten) or {}


def _unfolded(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a file says, with `plugins: {files: [...], disabled: [...]}` as the two lists."""
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
    """What is written `{key: value}`; a text that is not stays one."""
    import yaml

    try:
        return _load(text.encode())
    except yaml.YAMLError:
        return text


def _anything(said: Any) -> Any:
    """What is read later, by whoever knows what is wanted."""
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


def _kept(text: str) -> str:
    """A text in which OmegaConf fills nothing in.

    Raises:
        ValueError: it is OmegaConf's word for no value.
    """
    if text == "???":
        raise ValueError("??? stands for a value that is missing; write one.")
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", text)
