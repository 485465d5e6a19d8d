"""Which settings dataclass stands behind a command, a method, a recipe or a backbone.

Each reads its settings with one call (`read_settings(KIND, ...)`, `read_config(KIND, ...)`,
`override(KIND(), ...)`), or in a function of its own called `read_settings`, which returns them.
Both are found in the source.
"""

import ast
import dataclasses
import importlib
import inspect
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any

from frostbench.bench.cli.commands import COMMANDS
from frostbench.plugins.host.registry import Host


@cache
def host() -> Host:
    """Everything that comes with frostbench."""
    return Host()


def settings_of(module: str | ModuleType, given: str = "", function: str = "") -> type | None:
    """The settings dataclass that a module reads; None where it reads none, or several.

    `given` is a word of the call that is meant ("setup.settings"), `function` the one whose calls
    count before all others.
    """
    loaded = importlib.import_module(module) if isinstance(module, str) else module
    tree = ast.parse(inspect.getsource(loaded))
    own = [one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == function]
    for part in (*own, tree):
        kinds = {kind for name in _read(part, given) if (kind := _kind(loaded, name)) is not None}
        if len(kinds) == 1:
            return kinds.pop()
    return None


def _read(tree: ast.AST, given: str) -> Iterator[str]:
    """The names of classes that a piece of code reads."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name="read_settings", returns=ast.Name(id=name)):
                yield name
            case (
                ast.Call(
                    func=ast.Name(id="read_settings" | "read_config"), args=[ast.Name(id=name), *_]
                )
                | ast.Call(
                    func=ast.Attribute(attr="override"), args=[ast.Call(func=ast.Name(id=name)), *_]
                )
            ) if given in ast.unparse(node):
                yield name


def _kind(module: ModuleType, name: str) -> type | None:
    """The dataclass of that name, which the module defines, imports, or imports in a function."""
    found: Any = getattr(module, name, None)
    return found if dataclasses.is_dataclass(found) and isinstance(found, type) else None


def of_command(name: str) -> type | None:
    """The keys of a command."""
    module, _, function = COMMANDS[name].target.partition(":")
    return settings_of(f"frostbench.bench.cli.{module}", function=function)


def of_method(name: str) -> type | None:
    """The settings under `method.NAME`."""
    return _first(host().methods[name].load(), "setup.settings")


def of_task(name: str) -> type:
    """The settings under `task.NAME`."""
    kind: type = host().tasks[name].load().settings
    return kind


def of_recipe(name: str) -> type | None:
    """The settings under `recipe.NAME`."""
    target = host().recipes[name].card.target
    module = target.partition(":")[0] if isinstance(target, str) else target.__module__
    return settings_of(module)


def of_reader(name: str) -> type | None:
    """The settings of a reader of data."""
    kind: type | None = getattr(host().datasets[name].load(), "settings", None)
    return kind


def of_backbone(name: str) -> type | None:
    """The settings of a kind of backbones."""
    source = inspect.getsource(host().backbones[name].load())
    imported = [
        node.module
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and node.module is not None
    ]
    found = (settings_of(module, "entry.settings") for module in imported)
    return next((kind for kind in found if kind is not None), None)


def _first(kind: type, given: str) -> type | None:
    """The settings that a class, or one that it inherits from, reads."""
    for one in kind.__mro__:
        if one.__module__.startswith("frostbench"):
            found = settings_of(one.__module__, given)
            if found is not None:
                return found
    return None
