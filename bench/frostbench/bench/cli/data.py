"""The data sets of a run: the pack's, and those that the user names with `data.NAME=...`."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from frostbench.bench.cli.config import UsageError
from frostbench.plugins.host.containment import Call, contain
from frostbench.plugins.host.errors import PluginError, describe, missing
from frostbench.plugins.host.packs import Pack, digest_of, digest_of_files
from frostbench.plugins.host.registry import Host, Registered
from frostbench.plugins.host.settings import read_settings


@dataclass(frozen=True)
class Located:
    """Where a data set lies, what reads it, and the reader's settings."""

    reader: Registered[str]
    folder: Path
    settings: Mapping[str, Any] = field(default_factory=dict)


class DataSets:
    """Data sets by name; each is opened when it is first asked for, and once.

    Raises:
        LookupError: no reader of a name is installed; the message lists those there are.
        UsageError: what the user wrote names no folder.
    """

    def __init__(
        self,
        given: Mapping[str, Any],
        host: Host,
        pack: Pack,
        hash_of: Callable[[Path], str] = digest_of_files,
    ) -> None:
        self._host, self._pack = host, pack
        # Several data sets may lie in one folder, which is read once.
        self._hash_of = cache(hash_of)
        self._own = {
            str(name): _place(str(name), value, host, pack) for name, value in given.items()
        }
        self._open: dict[str, Any] = {}

    def open(self, name: str) -> Any:
        """The data set of a name.

        Raises:
            LookupError: neither the user nor the pack says where it lies.
            UsageError: the user's folder is not as it should be, or settings are wrong.
            ValueError: the pack's is not.
        """
        if name not in self._open:
            try:
                place = self._placed(name)
                self._open[name] = opened_by(place.reader, place.folder, place.settings)
            except ValueError as error:
                if name not in self._own:
                    raise
                raise UsageError(f"data.{name}: {error}") from error
        return self._open[name]

    def chosen_for(
        self, task: str, protocols: tuple[type[Any], ...], asked: object = None
    ) -> str | None:
        """The user's own data set for a task: the one `asked` for, or the one that it can use.

        Raises:
            UsageError: there are several and none is named, or the task cannot use the named one.
        """
        fit = [name for name in self._own if isinstance(self.open(name), protocols)]
        if asked is not None:
            name = str(asked)
            if name in self._own and protocols and name not in fit:
                wanted = " or ".join(protocol.__name__ for protocol in protocols)
                raise UsageError(
                    f"task.{task}.data={name}: {task} asks for a {wanted}, and what "
                    f"{self._own[name].reader.name} reads is none."
                )
            return name if name in self._own else None
        if len(fit) > 1:
            raise UsageError(
                f"{task} can use {' and '.join(fit)}; say which with task.{task}.data={fit[0]}."
            )
        return fit[0] if fit else None

    def check_used(self, names: Iterable[str]) -> None:
        """Refuse data that the user named but no chosen task reads.

        Raises:
            UsageError: there are some.
        """
        idle = sorted(set(self._own) - set(names))
        if idle:
            reader = self._own[idle[0]].reader.name
            raise UsageError(
                f"none of the chosen tasks reads data.{idle[0]} ({reader}); choose others with "
                "tasks=, or leave it out."
            )

    def readers(self, names: Iterable[str]) -> dict[str, Registered[str]]:
        """The readers of data sets, by their names."""
        return {name: self._placed(name).reader for name in names if self._known(name)}

    def digests(self, names: Iterable[str]) -> dict[str, str]:
        """One SHA-256 over a data set's files and its reader's settings, by name."""
        return {name: self._digest(self._placed(name)) for name in names if self._known(name)}

    def _digest(self, place: Located) -> str:
        files = self._hash_of(place.folder)
        return digest_of([files, place.settings]) if place.settings else files

    def _known(self, name: str) -> bool:
        return name in self._own or name in self._pack.data

    def _placed(self, name: str) -> Located:
        if name in self._own:
            return self._own[name]
        if name not in self._pack.data:
            told = missing(f"data set in the pack {self._pack.name!r}", name, self._pack.data)
            raise LookupError(f"{told} data.{name}=READER:FOLDER says where one lies.")
        return Located(self._host.pick("data set", name), self._pack.data[name])


def _place(name: str, value: Any, host: Host, pack: Pack) -> Located:
    """Read `READER:FOLDER`, a folder alone where the name is a reader's, or both as keys.

    Keys without a folder are settings of the data set that the pack has under that name.
    """
    settings: dict[str, Any] = {}
    if isinstance(value, Mapping):
        settings = {str(key): one for key, one in value.items()}
        reader, folder = str(settings.pop("reader", name)), settings.pop("folder", None)
        folder = folder or pack.data.get(name)
    else:
        head, colon, rest = str(value).partition(":")
        if colon and head not in host.datasets and name not in host.datasets:
            raise LookupError(f"data.{name}={value}: {missing('data set', head, host.datasets)}")
        reader, folder = (head, rest) if colon and head in host.datasets else (name, str(value))
    if reader not in host.datasets:
        raise LookupError(
            missing("data set", reader, host.datasets)
            + f" Write data.{name}=READER:FOLDER, with one of them for READER."
        )
    folder = os.path.expanduser(str(folder or ""))
    if not folder or not Path(folder).exists():
        raise UsageError(
            f"data.{name}: there is no folder {folder!r}; write data.{name}=FOLDER, or "
            f"data.{name}.folder=FOLDER beside other settings. The pack {pack.name!r} has "
            f"{', '.join(pack.data) or 'no data sets'}."
        )
    return Located(host.pick("data set", reader), Path(folder), settings)


def opened_by(reader: Registered[str], folder: str | Path, settings: Mapping[str, Any]) -> Any:
    """Open a folder with a reader.

    Raises:
        ValueError: the folder is not as it should be, or the reader has no such settings.
        PluginError: the reader is faulty.
    """
    kind, given = reader.load(), list[Any]([Path(os.path.expanduser(folder))])
    schema: Any = getattr(kind, "settings", None)
    if schema is not None:
        given.append(read_settings(schema, settings, reader.name))
    elif settings:
        raise ValueError(f"{reader.name} has no settings; {next(iter(settings))!r} was given.")
    try:
        return contain(Call("data set", reader.name, "opening"), kind, *given)
    except ValueError:
        raise
    except OSError as error:
        raise ValueError(f"{error.filename or folder}: {error.strerror or error}.") from error
    except Exception as error:
        raise PluginError(f"data set {reader.name!r} ({reader.file}): {describe(error)}") from error
