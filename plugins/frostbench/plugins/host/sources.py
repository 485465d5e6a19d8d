"""The code that a method or a task is made of, found by its module's imports."""

import ast
import hashlib
import sys
from dataclasses import dataclass
from functools import cache, partial
from importlib import metadata
from importlib.machinery import ModuleSpec
from pathlib import Path

from frostbench.plugins.host.offers import FILE_MODULE

_INSTALLED = {"site-packages", "dist-packages"}


@dataclass(frozen=True)
class _Module:
    """A module's source, the modules that it may import, and the files beside it that it names."""

    sha256: str
    imports: frozenset[str] = frozenset()
    files: tuple[Path, ...] = ()


class Sources:
    """Looks at each file and each distribution once; nothing is imported.

    What is imported inside a function counts too, and `import_module` of a constant. A module whose
    name is only known while the code runs is missed.
    """

    def __init__(self) -> None:
        self._modules: dict[Path, _Module] = {}
        self._versions: dict[str, str] = {}

    def of(self, target: str | object) -> dict[str, str]:
        """The code of "module:attribute" or of an object, as digests and versions by name.

        SHA-256 of the module, of its imports (and theirs) from its own top-level package or from
        outside installed packages, and of files beside these that a constant in them names; for
        every other package the distribution's version. Empty where the module has no file.
        """
        start = _module_of(target)
        found: dict[str, str] = {}
        waiting, seen = [start], set()
        while waiting:
            name = waiting.pop()
            top = name.partition(".")[0]
            if name in seen or top in sys.stdlib_module_names:
                continue
            seen.add(name)
            foreign = top != start.partition(".")[0]
            if foreign and top in self._versions:
                found[top] = self._versions[top]
                continue
            # Importing a module imports the packages that it lies in.
            waiting += filter(None, [name.rpartition(".")[0]])
            file = _file_of(name)
            if file is None:
                continue
            if foreign and _installed(file):
                self._versions[top] = found[top] = _distribution(top, file)
                continue
            module = self._module(name, file)
            # A plugin file is the same code under another name.
            shown = FILE_MODULE if name.startswith(FILE_MODULE) else name
            found[shown] = module.sha256
            found |= {f"{shown}/{one.name}": _sha256(one.read_bytes()) for one in module.files}
            waiting += module.imports
        return dict(sorted(found.items()))

    def _module(self, name: str, file: Path) -> _Module:
        if file not in self._modules:
            self._modules[file] = _read(name, file)
        return self._modules[file]


def _read(name: str, file: Path) -> _Module:
    content = file.read_bytes()
    if file.suffix != ".py":
        return _Module(_sha256(content))
    package = name if file.stem == "__init__" else name.rpartition(".")[0]
    imports, texts = _parse(content, package)
    beside = (file.parent / text for text in sorted(texts))
    return _Module(_sha256(content), imports, tuple(path for path in beside if path.is_file()))


def _module_of(target: str | object) -> str:
    if isinstance(target, str):
        return target.partition(":")[0]
    while isinstance(target, partial):
        target = target.func
    return str(getattr(target, "__module__", type(target).__module__))


def _file_of(name: str) -> Path | None:
    """A module's file; None for a namespace, for no module, and for one without a file."""
    spec = _spec(name)
    origin = None if spec is None or spec.origin is None else Path(spec.origin)
    return origin if origin is not None and origin.is_file() else None


def _spec(name: str) -> ModuleSpec | None:
    """Where a module lies; unlike `importlib.util.find_spec` it imports no parent."""
    loaded = getattr(sys.modules.get(name), "__spec__", None)
    if isinstance(loaded, ModuleSpec):
        return loaded
    parent, places = name.rpartition(".")[0], None
    if parent:
        above = _spec(parent)
        if above is None or above.submodule_search_locations is None:
            return None
        places = [str(place) for place in above.submodule_search_locations]
    finders = (getattr(finder, "find_spec", None) for finder in sys.meta_path)
    return next((spec for find in finders if find and (spec := find(name, places))), None)


@cache
def _parse(content: bytes, package: str) -> tuple[frozenset[str], frozenset[str]]:
    """The modules that a source may import, and its constants that look like names of files."""
    modules: set[str] = set()
    texts: set[str] = set()
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):  # importing it will report that
        return frozenset(), frozenset()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names):
                modules.update(alias.name for alias in names)
            case ast.ImportFrom(module, names, level):
                parts = package.split(".")[: 1 - level or None] if level else []
                base = ".".join([*parts, *([module] if module else [])])
                # A name imported from a package may be one of its modules.
                modules.update([base, *(f"{base}.{alias.name}" for alias in names)])
            case ast.Call(
                ast.Name("import_module" | "__import__") | ast.Attribute(attr="import_module"),
                [ast.Constant(str(name)), *_],
            ):
                modules.add(name)
            case ast.Constant(str(text)) if "." in text and len(text) < 200 and text.isprintable():
                texts.add(text)
    return frozenset(modules - {""}), frozenset(texts)


def _installed(file: Path) -> bool:
    """Whether a file lies where packages are installed, so that a version identifies it."""
    if _INSTALLED & set(file.parts):
        return True
    # A folder filled by `pip install --target` has the distributions' records beside the packages.
    root = file.parent
    while (root / "__init__.py").exists():
        root = root.parent
    return any(root.glob("*.dist-info"))


def _distribution(top: str, file: Path) -> str:
    """Name and version of the distribution that a package is of."""
    try:
        return f"{top} {metadata.version(top)}"
    except metadata.PackageNotFoundError:
        pass
    for one in metadata.distributions():
        # Reading all records as the library does would take half a second.
        if f"\n{top}/{file.name}," in f"\n{one.read_text('RECORD') or ''}":
            return f"{one.name} {one.version}"
    return _sha256(file.read_bytes())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
