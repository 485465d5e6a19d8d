"""Files that are either whole or not there, and what is said when the disk is full."""

import errno
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SETTLED = 60  # seconds in which a file is written, also by a process of another machine
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class StoreError(Exception):
    """The store cannot do what was asked; the message is one sentence with what to do."""


class StoreFullError(StoreError):
    """There is no room left. What was stored before is whole, and the run can be resumed."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the operating system says about writing to `path` into one sentence.

    Raises:
        StoreFullError: the disk, the quota or the largest allowed file is full.
        StoreError: anything else that keeps the file from being written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StoreFullError(
                f"no room to write {path} ({error.strerror}); everything stored until now is "
                "kept: free some space and give the same command again to go on."
            ) from error
        raise StoreError(f"cannot write {path}: {error.strerror or error}.") from error


def regular(path: Path) -> Path:
    """The path, if it is that of a file in its own folder, or of nothing yet.

    What lies in a run's folder may come from somebody else: a pipe would hang whoever opens it, and
    a link would have files elsewhere read, copied or written.

    Raises:
        StoreError: it is a folder, a pipe or a device, or a link that leads out of its folder.
    """
    if path.is_symlink() and path.resolve().parent != path.parent.resolve():
        raise StoreError(
            f"{path} is a link that leads out of its folder; put the file itself there."
        )
    if path.exists() and not path.is_file():
        raise StoreError(f"{path} is no regular file; remove it.")
    return path


def write_whole(path: Path, content: bytes, *, sync: bool = True) -> None:
    """Write a file so that a reader, or a process killed at any moment, sees all of it or none.

    With `sync` it survives a loss of power too.

    Raises:
        StoreFullError: there is no room.
        StoreError: the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.unlink(missing_ok=True)
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                if sync:
                    os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        if sync:
            sync_folder(path.parent)


def write_json(path: Path, value: Mapping[str, Any], *, sync: bool = True) -> None:
    """Write a mapping as indented JSON, atomically."""
    content = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
    write_whole(path, content.encode(), sync=sync)


def sync_folder(folder: Path) -> None:
    """Make names in a folder (a rename, a new file) survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep(run: Path) -> None:
    """Remove temporaries that a killed process left in a run's folder, and nothing else.

    Call it only while nobody else writes there.
    """
    places = ("", "samples/", "sealed/", "blobs/*/")
    for leftover in (found for place in places for found in run.glob(f"{place}.*.tmp")):
        leftover.unlink(missing_ok=True)


def sweep_dead(folder: Path) -> None:
    """Remove temporaries of processes that have ended from a folder in which others write too."""
    for leftover in folder.glob(".*.tmp"):
        process = leftover.name.split(".")[-2]
        old = time.time() - leftover.lstat().st_mtime > SETTLED
        if old and not (process.isdecimal() and Path(f"/proc/{process}").exists()):
            leftover.unlink(missing_ok=True)
