"""Reads a run's folder, finished or not."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from frostbench.bench.store.atomic import StoreError, file_facts, reading, reason, regular
from frostbench.bench.store.blobs import Blobs
from frostbench.bench.store.lines import line_tables, read_lines
from frostbench.bench.store.manifest import Manifest
from frostbench.bench.store.records import Key, Record
from frostbench.bench.store.sealed import digest_of, read_sealed, sealed_name
from frostbench.bench.store.submitted import (
    NOT_AGAIN,
    Acceptance,
    Submission,
    read_acceptance,
    read_submission,
)
from frostbench.bench.store.tables import Tables

LARGEST_MANIFEST = 1 << 26  # bytes
ATTEMPTS = 20  # to read files that change meanwhile

T = TypeVar("T")


class StoredRun:
    """A stored run, for reading.

    Attributes:
        folder: where it lies.
        blobs: its images, features and masks; of results that were handed in, those in `outputs`.
    """

    def __init__(self, folder: Path, outputs: Path | None = None) -> None:
        self.folder = folder
        self.blobs = Blobs(folder / "blobs", outputs)
        self._read: tuple[object, list[Record]] = (None, [])
        self._tables: tuple[object, Tables] = (None, Tables(()))

    @cached_property
    def manifest(self) -> Manifest:
        """What the results depend on, as of the first access."""
        return read_manifest(self.folder)

    @cached_property
    def _handed_in(self) -> Submission | None:
        return read_submission(self.folder)

    @cached_property
    def _accepted(self) -> Acceptance | None:
        return read_acceptance(self.folder)

    @property
    def failed(self) -> bool:
        """Whether anything failed: a sample, a method, a task, or the whole run."""
        return self.manifest.status == "failed" or bool(self.manifest.failures)

    def checked(self, task: str, protocol: str | None) -> str | None:
        """The findings of `frostbench accept` on handed-in results; None for other runs.

        They apply only to the very file that was checked.

        Raises:
            StoreError: what was found cannot be read.
        """
        if self._handed_in is None:
            return None
        found, name = self._accepted, sealed_name(task, protocol)
        if found is None or found.seals.get(name) != digest_of(self.folder / "sealed" / name):
            return NOT_AGAIN
        return found.rows.get(name, NOT_AGAIN)

    def records(self) -> list[Record]:
        """All samples, sealed ones first, each key once; read again only if a file has changed.

        Raises:
            StoreError: a file of samples is damaged.
        """
        state = self._state()
        if self._read[0] != state:
            self._read = state, read_records(self.folder)
        return list(self._read[1])

    def tables(self) -> Tables:
        """The same samples in columns, as of now.

        Raises:
            StoreError: a file of samples is damaged.
        """
        state = self._state()
        if self._tables[0] != state:
            self._tables = state, _unchanged(self.folder, _read_tables)
        return self._tables[1]

    def _state(self) -> object:
        return [(path, file_facts(path)) for path in samples_files(self.folder)]

    def blob(self, name: str) -> Path:
        """The file of a hash; LookupError where there is none."""
        return self.blobs.path(name)

    def image(self, name: str) -> Pillow.Image:
        """A stored image."""
        return self.blobs.image(name)

    def array(self, name: str) -> npt.NDArray[np.float32]:
        """A stored array."""
        return self.blobs.array(name)


def open_run(folder: Path) -> StoredRun:
    """Open a run's folder for reading.

    Raises:
        StoreError: there is no run in it, or its manifest cannot be read.
    """
    run = StoredRun(folder)
    _ = run.manifest
    return run


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a run, also of one that an older frostbench stored.

    Raises:
        StoreError: there is none, or it cannot be read.
    """
    path = folder / "manifest.json"
    try:
        if regular(path).stat().st_size > LARGEST_MANIFEST:
            raise StoreError(f"{path} has more than {LARGEST_MANIFEST} bytes and is no manifest.")
        values = json.loads(path.read_bytes())
        if not isinstance(values, dict) or "status" not in values:
            raise StoreError(f"{path} is no manifest of a run.")
        return Manifest.from_json(values)
    except (FileNotFoundError, NotADirectoryError):
        raise StoreError(f"no run at {folder}: a run is a folder with a manifest.json.") from None
    except StoreError:
        raise
    except Exception as error:  # whatever a stranger's file makes of the reader
        raise StoreError(f"{path} cannot be read: {reason(error)}.") from error


def read_records(folder: Path) -> list[Record]:
    """All samples of a run, sealed ones first, each key once.

    Raises:
        StoreError: a file of samples is damaged.
    """
    return _unchanged(folder, _read_records)


def _unchanged(folder: Path, read: Callable[[Path], T]) -> T:
    """Read from a run's folder, again if its files change meanwhile."""
    for _ in range(ATTEMPTS):
        with suppress(FileNotFoundError):  # a run that is at work sealed it just now
            return read(folder)
    raise StoreError(f"the files of samples in {folder} change faster than they can be read.")


def _read_records(folder: Path) -> list[Record]:
    # Lines are read before sealed files: a sample that is sealed in between, and removed from the
    # lines, is then found in both; in the other order it would be found in neither.
    lines = [record for path in _lines_files(folder) for record in _lines(path, read_lines)]
    found: dict[Key, Record] = {}
    for path in _sealed_files(folder):
        with reading(path):
            for record in read_sealed(path):
                found.setdefault(record.key, record)
    for record in lines:
        found.setdefault(record.key, record)
    return list(found.values())


def _read_tables(folder: Path) -> Tables:
    lines = [table for path in _lines_files(folder) for table in _lines(path, line_tables)]
    return Tables.of(_sealed_files(folder), lines)  # after the lines, as above


def _lines(path: Path, read: Callable[[Path], Iterable[T]]) -> Iterator[T]:
    with reading(path):
        yield from read(path)


def samples_files(folder: Path) -> list[Path]:
    """The files of a run that hold samples, sealed ones first."""
    lines = _lines_files(folder)  # first, as above
    return [*_sealed_files(folder), *lines]


def _lines_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("samples/[!.]*.jsonl"))  # files that a system leaves there are hidden


def _sealed_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("sealed/[!.]*.parquet"))
