"""Finding plugins: entry points of installed packages, and files that the user names."""

import importlib.util
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from importlib.metadata import Distribution, EntryPoint, distributions, entry_points
from pathlib import Path
from types import CodeType, ModuleType

from frostbench.plugins.host.containment import Call, contain
from frostbench.plugins.host.errors import PluginError, describe, missing
from frostbench.plugins.host.offers import FILE_MODULE, GROUP, OWN, PATIENCE, Plugin, read_plugin
from frostbench.plugins.host.texts import no_text

NO_PLUGINS = "FROSTBENCH_NO_PLUGINS"


@dataclass(frozen=True)
class Omitted:
    """A plugin that is left out, and why, in a clause; `wanted` if the user disabled it.

    `part` names the only part that is left out, where the rest of the plugin is used.
    """

    plugin: str
    where: str
    reason: str
    wanted: bool = False
    part: str = ""

    @property
    def sentence(self) -> str:
        """The sentence about it, for users."""
        place = f" ({self.where})" if self.where else ""
        part = f"{self.part} of " if self.part else ""
        return f"{part}plugin {self.plugin!r}{place} is left out: {self.reason.rstrip('.')}."


@dataclass(frozen=True)
class Candidate:
    """An installed plugin that has not been imported yet.

    `distribution` is its package's name and version.
    """

    name: str
    where: str
    distribution: tuple[str, str] | None
    load: Callable[[], object]

    @property
    def own(self) -> bool:
        """Whether it comes with frostbench."""
        return self.distribution is not None and self.distribution[0] == OWN

    @property
    def names(self) -> set[str]:
        """The names by which it can be disabled: its own, and its package's."""
        return {self.name, *([] if self.distribution is None else [self.distribution[0]])}

    def read(self) -> Plugin:
        """Import it, and see what it offers.

        Raises:
            PluginError: it is faulty; a clause.
        """
        try:
            plugin = contain(
                Call("plugin", self.name, "import"), self.load, seconds=PATIENCE, key=""
            )
        except Exception as error:
            raise PluginError(f"it cannot be imported: {describe(error)}") from error
        return read_plugin(plugin, self.name, file_of(plugin, self.where), self.distribution)


def installed(disabled: Sequence[str] = ()) -> tuple[list[Candidate], list[Omitted]]:
    """Plugins of installed packages, frostbench's own first and then by name, and those left out.

    Raises:
        LookupError: one is disabled that is not there.
    """
    points, left_out = _points()
    candidates: list[Candidate] = []
    for point in points:
        try:
            candidates.append(contain(Call("plugin", point.name, "its package"), _candidate, point))
        except Exception as error:
            reason = f"its package cannot be read: {describe(error)}"
            left_out.append(Omitted(point.name, point.value, reason))
    known = {name for one in candidates for name in one.names} | {one.plugin for one in left_out}
    for name in disabled:
        if name not in known:
            raise LookupError("plugins.disabled: " + missing("installed plugin", name, known))
    bare = os.environ.get(NO_PLUGINS, "") not in ("", "0")
    found = []
    for one in sorted(candidates, key=lambda one: (not one.own, one.name, one.distribution or ())):
        if one.names & set(disabled):
            left_out.append(Omitted(one.name, one.where, "plugins.disabled names it", True))
        elif bare and not one.own:
            left_out.append(Omitted(one.name, one.where, f"{NO_PLUGINS} is set", True))
        else:
            found.append(one)
    return found, left_out


class _AsWritten(SourceFileLoader):
    """Compiles a file each time it is loaded.

    Python's cache goes by size and second: an edit within the same second would not be seen.
    """

    def get_code(self, fullname: str) -> CodeType:
        """The code of the file as it is now."""
        code: CodeType = self.source_to_code(self.get_data(self.path), self.path)
        return code


def load_file(path: Path) -> ModuleType:
    """Import a plugin that is a single file.

    Raises:
        PluginError: there is none, or it cannot be imported.
    """
    if not path.is_file():
        raise PluginError(f"no plugin file at {path}.")
    _check_text(path)
    name = f"{FILE_MODULE}{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path, loader=_AsWritten(name, str(path)))
    if spec is None or spec.loader is None:
        raise PluginError(f"plugin file {path} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        contain(
            Call("plugin", path.stem, "import"),
            spec.loader.exec_module,
            module,
            seconds=PATIENCE,
            key="",
        )
    except Exception as error:
        del sys.modules[name]
        raise PluginError(f"plugin file {path} cannot be imported: {describe(error)}") from error
    return module


def _check_text(path: Path) -> None:
    """Check that a file is text, in UTF-8 or in the encoding that its first line names.

    Raises:
        PluginError: it is none.
    """
    content = path.read_bytes()
    if b"\0" in content:
        raise PluginError(f"plugin file {path} is no Python file: it holds bytes that are no text.")
    try:
        content.decode()
    except UnicodeDecodeError as error:
        try:
            importlib.util.decode_source(content)
        except (SyntaxError, UnicodeDecodeError):
            number = 1 + content.count(b"\n", 0, error.start)
            where = f"plugin file {path}, line {number}"
            raise PluginError(no_text(where, error)) from error


def file_of(plugin: object, otherwise: str) -> str:
    """The file of a plugin; `otherwise` for one that has none."""
    try:
        return str(contain(None, getattr, plugin, "__file__", None) or otherwise)
    except Exception:
        return otherwise


def _points() -> tuple[list[EntryPoint], list[Omitted]]:
    search = Call("plugin", "the installed packages", "their metadata")
    try:
        return contain(search, lambda: list(entry_points(group=GROUP))), []
    except Exception:  # one package's damaged metadata breaks the reading of all others
        pass
    points: list[EntryPoint] = []
    left_out: list[Omitted] = []
    seen: set[str] = set()
    for package in contain(search, lambda: list(distributions())):
        try:
            name, own = contain(search, _points_of, package)
        except Exception as error:
            where = str(getattr(package, "_path", ""))
            reason = f"its package's metadata cannot be read: {describe(error)}"
            left_out.append(Omitted(Path(where).stem or "unknown", where, reason))
            continue
        if name not in seen:
            seen.add(name)
            points += own
    return points, left_out


def _points_of(package: Distribution) -> tuple[str, list[EntryPoint]]:
    own: Iterable[EntryPoint] = package.entry_points
    return package.name, [point for point in own if point.group == GROUP]


def _candidate(point: EntryPoint) -> Candidate:
    package = point.dist
    if package is None:
        return Candidate(point.name, point.value, None, point.load)
    name, version = package.name, package.version
    if not isinstance(name, str) or not isinstance(version, str):
        raise ValueError("it says no name and no version")
    return Candidate(point.name, point.value, (name, version), point.load)
