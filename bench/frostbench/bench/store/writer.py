"""Writes a run's folder so that a process killed at any moment loses nothing stored."""

import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from frostbench.bench.store.atomic import StoreError, sweep, write_json, write_whole, writing
from frostbench.bench.store.blobs import Blobs
from frostbench.bench.store.leases import WORKERS
from frostbench.bench.store.lines import (
    append_lines,
    keep_lines,
    line_tables,
    mend,
    read_lines,
    replace_lines,
)
from frostbench.bench.store.manifest import Manifest
from frostbench.bench.store.reader import read_manifest, read_records
from frostbench.bench.store.records import Key, Record
from frostbench.bench.store.schema import in_order, keys_of, table_of
from frostbench.bench.store.sealed import read_sealed, sealed_name, write_tables
from frostbench.plugins.host.packs import sha256_of

PLUGINS = "plugins"  # folder of a run that keeps the plugin files which it used


def forget(folder: Path) -> None:
    """Remove what a run has stored in its folder, and nothing else.

    Killed in between it leaves fewer samples, never a sample without a manifest.

    Raises:
        StoreError: something cannot be removed.
    """
    with writing(folder):
        for name in ("samples", "sealed", "blobs", PLUGINS, *WORKERS):
            if (folder / name).exists():
                shutil.rmtree(folder / name)
        for name in ("config.yaml", "manifest.json"):
            (folder / name).unlink(missing_ok=True)


class SampleWriter:
    """Adds the samples of one session of a worker to files of its own, one for each task.

    Attributes:
        blobs: the images, features and masks of the run.
    """

    def __init__(self, folder: Path, worker: str = "0") -> None:
        self.blobs = Blobs(folder / "blobs")
        self._folder = folder / "samples"
        self._name = f"{quote(worker, safe='')}.{time.time_ns():x}{os.urandom(2).hex()}"

    def append(self, records: Sequence[Record]) -> None:
        """Store finished samples; they are on the disk when this returns.

        Raises:
            StoreFullError: there is no room.
        """
        by_task: dict[str, list[Record]] = {}
        for record in records:
            by_task.setdefault(record.task, []).append(record)
        if records:
            self.blobs.sync()
        for task, several in by_task.items():
            append_lines(self._folder / f"{self._name}{_of_task(task)}", several)

    def stored(self, task: str) -> set[Key]:
        """The samples of a task that is not sealed yet, whoever stored them."""
        mine = [path for path in self._folder.glob("[!.]*.jsonl") if _may_hold(path, task)]
        return {record.key for path in mine for record in read_lines(path) if record.task == task}


class RunWriter:
    """Puts a run's folder in order and rewrites it, while it holds the folder's lock.

    Opening it cleans up after a killed process: temporaries are removed, a torn last line is cut
    off.

    Raises:
        StoreError: the folder cannot be made or written, or links lead out of it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seals: dict[str, str] = {}
        with suppress(StoreError):  # of a run that begins, or whose manifest is damaged
            self._seals = dict(read_manifest(folder).seals)
        self.samples = SampleWriter(folder)
        self.blobs = self.samples.blobs
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for place in ("", "samples/", "sealed/", "blobs/"):
                for path in folder.glob(f"{place}*"):
                    if path.is_symlink() and path.suffix != ".tmp":
                        raise StoreError(
                            f"{path} is a link, and a run is written where it lies; put what it "
                            "leads to in its place."
                        )
            sweep(folder)
        for path in self._samples():
            mend(path)

    def records(self) -> list[Record]:
        """All samples stored until now."""
        return read_records(self.folder)

    def set_damaged_aside(self) -> list[Path]:
        """Rename sealed files that cannot be read, so that their samples are computed again."""
        aside = []
        for path in self._sealed_files():
            try:
                read_sealed(path)
            except Exception as error:  # whatever a damaged file makes of the reader
                if isinstance(error, OSError) and error.errno is not None:
                    raise  # the disk's fault, not the file's
                with writing(path):
                    path.replace(path.with_name(f"{path.name}.damaged"))
                self._seals.pop(path.name, None)
                aside.append(path)
        return aside

    def append(self, records: Sequence[Record]) -> None:
        """See `SampleWriter.append`."""
        self.samples.append(records)

    def seal(self, task: str, protocol: str | None, samples: Sequence[str]) -> None:
        """Move a finished task and protocol to Parquet, ordered by row and then like `samples`."""
        order = {sample: index for index, sample in enumerate(samples)}

        def place(key: Key) -> tuple[str, str, int, str]:
            _, _, method, control, sample = key
            return method or "", control or "", order.get(sample, len(order)), sample

        path = self._sealed(task, protocol)
        tables = [table_of(read_sealed(path))] if path.exists() else []
        keys = list(chain.from_iterable(map(keys_of, tables)))
        held: dict[Path, slice] = {}
        for lines in self._samples():
            if _may_hold(lines, task):
                before = len(keys)
                for table in line_tables(lines):
                    tables.append(table)
                    keys += keys_of(table)
                held[lines] = slice(before, len(keys))
        rows: dict[Key, int] = {}
        for row, key in enumerate(keys):
            if key[:2] == (task, protocol):
                rows.setdefault(key, row)
        if rows:
            ordered = [rows[key] for key in sorted(rows, key=place)]
            self._put_sealed(path, in_order(tables, np.array(ordered)))
        # Killed before this, a sample stands in both places and is read once.
        for lines, own in held.items():
            keep_lines(lines, [key[:2] != (task, protocol) for key in keys[own]])

    def drop(self, unwanted: Callable[[Record], bool]) -> int:
        """Forget samples, so that they are computed again; return how many."""
        dropped = len([record for record in self.records() if unwanted(record)])
        if dropped:
            for path in self._sealed_files():
                records = read_sealed(path)
                kept = [record for record in records if not unwanted(record)]
                if len(kept) < len(records):
                    self._put_sealed(path, [table_of(kept)])
            for path in self._samples():
                keep_lines(path, [not unwanted(record) for record in read_lines(path)])
        return dropped

    def replace(self, records: Sequence[Record]) -> None:
        """Put these samples in the place of stored ones with the same keys, file by file."""
        self.blobs.sync()
        new = {record.key: record for record in records}
        for paths, read in ((self._sealed_files(), read_sealed), (self._samples(), read_lines)):
            for path in paths:
                old = read(path)
                # Other workers may write to a file that holds none of them.
                if not any(record.key in new for record in old):
                    continue
                both = [new.get(record.key, record) for record in old]
                if read is read_sealed:
                    self._put_sealed(path, [table_of(both)])
                else:
                    replace_lines(path, both)

    def write_manifest(self, manifest: Manifest, *, sync: bool = True) -> None:
        """Replace the manifest, atomically; it names the sealed files' digests."""
        told = replace(manifest, seals=dict(sorted(self._seals.items())))
        write_json(self.folder / "manifest.json", told.to_json(), sync=sync)

    def write_plugins(self, texts: Mapping[str, bytes]) -> None:
        """Store the plugin files of the run for people to read; nothing here runs them."""
        for name, content in texts.items():
            write_whole(self.folder / PLUGINS / name, content)

    def write_config(self, text: str) -> None:
        """Keep the resolved configuration."""
        write_whole(self.folder / "config.yaml", text.encode())

    def _put_sealed(self, path: Path, tables: Iterable[Any]) -> None:
        """Seal a file, and record its digest for the manifest."""
        write_tables(path, tables)
        self._seals[path.name] = sha256_of(path)

    def _sealed(self, task: str, protocol: str | None) -> Path:
        return self.folder / "sealed" / sealed_name(task, protocol)

    def _sealed_files(self) -> list[Path]:
        return sorted(self.folder.glob("sealed/[!.]*.parquet"))

    def _samples(self) -> list[Path]:
        return sorted(self.folder.glob("samples/[!.]*.jsonl"))


def _of_task(task: str) -> str:
    """The ending of the name of a task's samples file."""
    return f"@{quote(task, safe='')}.jsonl"


def _may_hold(lines: Path, task: str) -> bool:
    """Whether a samples file can hold samples of a task; older files hold all tasks."""
    return "@" not in lines.name or lines.name.endswith(_of_task(task))
