"""Rules of the house that no linter checks."""

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from code_lines import sources

REPOSITORY = Path(__file__).parents[2]
TREES = {
    str(path.relative_to(REPOSITORY)): ast.parse(path.read_text(encoding="utf-8"))
    for path in sources(REPOSITORY)
}


def _named(tree: ast.Module) -> Iterator[str]:
    """Names of the public classes and type aliases of a module."""
    for node in tree.body:
        match node:
            case (
                ast.ClassDef(name=name)
                | ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id="TypeAlias"))
            ) if not name.startswith("_"):
                yield name


def test_no_public_class_name_stands_for_two_things():
    homes = defaultdict(list)
    for path, tree in TREES.items():
        for name in _named(tree):
            homes[name].append(path)
    assert {name: paths for name, paths in homes.items() if len(paths) > 1} == {}


def test_no_function_is_longer_than_60_lines():
    long = {
        f"{path}:{node.lineno} {node.name}": length
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > 60
    }
    assert long == {}


def test_no_file_is_longer_than_350_lines():
    lengths = {
        path: len((REPOSITORY / path).read_text(encoding="utf-8").splitlines()) for path in TREES
    }
    assert {path: length for path, length in lengths.items() if length > 350} == {}


# What is imported under another name than it is installed.
IMPORTED = {
    "open-clip-torch": "open_clip",
    "pillow": "PIL",
    "pyyaml": "yaml",
    "fonttools": "fontTools",
}
# What carries files that are read without an import, or is imported by another dependency's module.
READ = {"protobuf", "scikit-image", "scikit-learn", "filelock"}


def test_every_dependency_is_imported_by_a_source_file():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = project["dependencies"] + [
        one for name, extra in extras.items() if name not in ("test", "docs") for one in extra
    ]
    imported = set()
    for node in (node for tree in TREES.values() for node in ast.walk(tree)):
        match node:
            case ast.Import(names=aliases):
                imported |= {alias.name.partition(".")[0] for alias in aliases}
            case ast.ImportFrom(module=str(module)):
                imported.add(module.partition(".")[0])
    names = {re.split(r"[<>=\[ ]", one)[0].lower().replace("_", "-") for one in asked} - READ
    assert {IMPORTED.get(name, name.replace("-", "_")) for name in names} - imported == set()
