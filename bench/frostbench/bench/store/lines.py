"""Samples files: one record a line, appended and synced; a torn last line is dropped."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from frostbench.bench.store.atomic import (
    StoreError,
    reason,
    regular,
    sync_folder,
    write_whole,
    writing,
)
from frostbench.bench.store.records import Record
from frostbench.bench.store.schema import TOGETHER, table_of

LONGEST_LINE = 1 << 25  # bytes


def append_lines(path: Path, records: Iterable[Record]) -> None:
    """Append records, and return when they are on the disk.

    Raises:
        StoreFullError: there is no room; a line that was begun is dropped on reading.
        StoreError: the file cannot be written.
    """
    content = _lines(records)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        new = not regular(path).exists()
        with path.open("ab") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if new:
            sync_folder(path.parent)


def read_lines(path: Path) -> list[Record]:
    """The records of a samples file, without a torn last line.

    Raises:
        StoreError: a line that was finished cannot be read; the message names it.
    """
    return list(_records(path))


def line_tables(path: Path) -> Iterator[Any]:
    """The same as Arrow tables of up to `TOGETHER` rows, to hold few Python objects at a time."""
    records = _records(path)
    while several := list(islice(records, TOGETHER)):
        yield table_of(several)


def _records(path: Path) -> Iterator[Record]:
    for number, line in enumerate(_whole(path), 1):
        try:
            yield Record.from_json(json.loads(line))
        except Exception as error:  # a stranger's file can fail in any way
            raise StoreError(
                f"{path} line {number} is damaged; delete that line, and the same command "
                f"computes the sample again ({reason(error)})."
            ) from error


def mend(path: Path) -> None:
    """Cut off a torn last line, so that the next line does not become part of it."""
    if not regular(path).exists():
        return
    whole = sum(map(len, _whole(path)))
    if whole < path.stat().st_size:
        with writing(path):
            os.truncate(path, whole)


def replace_lines(path: Path, records: Iterable[Record]) -> None:
    """Replace all records of a samples file, atomically."""
    write_whole(path, _lines(records))


def keep_lines(path: Path, kept: Sequence[bool]) -> None:
    """Keep some lines of a samples file, and later ones; remove the file if none is left."""
    lines = list(_whole(path))
    kept = [*kept, *(True for _ in lines[len(kept) :])]
    left = [line for line, keep in zip(lines, kept, strict=True) if keep]
    if not left:
        with writing(path):
            path.unlink()
    elif len(left) < len(lines):
        write_whole(path, b"".join(left))


def _whole(path: Path) -> Iterator[bytes]:
    """The lines that were finished.

    Raises:
        StoreError: one is longer than any record.
    """
    with regular(path).open("rb") as file:
        while (line := file.readline(LONGEST_LINE)).endswith(b"\n"):
            yield line
    if len(line) == LONGEST_LINE:
        raise StoreError(
            f"{path} has a line of more than {LONGEST_LINE} bytes, and is no samples file."
        )


def _lines(records: Iterable[Record]) -> bytes:
    return "".join(
        json.dumps(record.to_json(), ensure_ascii=False, separators=(",", ":")) + "\n"
        for record in records
    ).encode(errors="backslashreplace")  # JSON's own escape; see `write_json`
