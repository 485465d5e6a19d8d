"""Writes files so that they are complete or absent, and explains a full disk."""

import errno
import glob
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

SETTLED = 60  # seconds within which a file is written, also by a process of another machine
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class StoreError(Exception):
    """The store cannot do what was asked; the message is a sentence that says what to do."""


class StoreFullError(StoreError):
    """There is no room left. What was stored before is complete, and the run can be resumed."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn errors of the operating system about writing to `path` into one sentence.

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


def reason(error: Exception) -> str:
    """The text of an error in a short line; parsers' errors are put in our words."""
    kinds = {
        json.JSONDecodeError: "it is no JSON",
        UnicodeError: "it is no text in UTF-8",
        RecursionError: "it nests too deep",
    }
    for kind, said in kinds.items():
        if isinstance(error, kind):
            return said
    if type(error).__module__.partition(".")[0] == "pyarrow":
        return "it is cut short or no Parquet file"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split())[:300] or type(error).__name__


def regular(path: Path) -> Path:
    """The path, if it is a regular file in its own folder, or does not exist yet.

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


def file_facts(path: Path) -> tuple[int, int, int]:
    """Facts that change when a file is written or replaced."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


@contextmanager
def reading(path: object) -> Iterator[None]:
    """Turns every error while a file is read into one sentence.

    Raises:
        StoreError: the file is damaged; a missing file raises its own error.
    """
    try:
        yield
    except (StoreError, FileNotFoundError):
        raise
    except Exception as error:
        raise StoreError(
            f"{path} cannot be read ({reason(error)}); delete it, and the same command "
            "computes its samples again."
        ) from error


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
    # A lone surrogate, which UTF-8 cannot encode, becomes JSON's own escape and is read back
    # unchanged.
    write_whole(path, content.encode(errors="backslashreplace"), sync=sync)


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
        with suppress(FileNotFoundError):  # it was just moved to its place
            if time.time() - leftover.lstat().st_mtime > SETTLED and not _is_alive(leftover):
                leftover.unlink(missing_ok=True)


def check_replaceable(folder: Path, mark: str) -> None:
    """See that a folder may be replaced, before anything is computed for it.

    Raises:
        StoreError: it is a file, or holds files without `mark` among them.
    """
    there = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    theirs = any(not name.startswith(".") for name in there)
    if (theirs and not (folder / mark).is_file()) or (folder.exists() and not folder.is_dir()):
        raise StoreError(
            f"{folder} holds something else than {mark} and what belongs to it, and is left as it "
            "is; name another folder with out=."
        )


@contextmanager
def replacing(folder: Path, mark: str, ours: Callable[[Path], bool]) -> Iterator[Path]:
    """A folder to write into, which replaces `folder` when it is complete.

    An older folder is recognised by the file `mark`. Its files that are not `ours`, by their path
    in it, are kept.

    Raises:
        StoreFullError: there is no room.
        StoreError: `folder` holds something else, or cannot be written.
    """
    target = folder.resolve()
    _settle(target)
    check_replaceable(folder, mark)
    older = target.is_dir() and any(target.iterdir())
    made, aside = (
        target.with_name(f".{target.name}.{os.getpid()}.{end}") for end in ("new", "old")
    )
    with writing(folder):
        try:
            made.mkdir(parents=True)
            yield made
            for path in sorted(target.rglob("*")) if older else ():
                within = path.relative_to(target)
                if not path.is_dir() and not ours(within) and not (made / within).exists():
                    (made / within).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(path, made / within, follow_symlinks=False)
            if target.exists():
                os.rename(target, aside)
            os.rename(made, target)
        finally:
            shutil.rmtree(made, ignore_errors=True)
            if not target.exists() and aside.exists():
                os.rename(aside, target)
            shutil.rmtree(aside, ignore_errors=True)


def _settle(target: Path) -> None:
    """Clean up after a process that was killed while it replaced a folder."""
    for end in ("old", "new"):
        for leftover in target.parent.glob(f".{glob.escape(target.name)}.*.{end}"):
            if _is_alive(leftover):
                continue
            if end == "old" and not target.exists():
                os.rename(leftover, target)
            else:
                shutil.rmtree(leftover, ignore_errors=True)


def _is_alive(leftover: Path) -> bool:
    """Whether the process in a temporary's name still runs; False for this process."""
    process = leftover.name.split(".")[-2]
    mine = process == str(os.getpid())
    return process.isdecimal() and not mine and Path(f"/proc/{process}").exists()
