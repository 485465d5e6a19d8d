"""Reads annotation files. An error names the file, the place in it, and the key."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from frostbench.plugins.host import texts
from frostbench.plugins.host.texts import BOM, check_file, kind_of, no_text, parsed, taken

__all__ = [
    "byte_lines",
    "either",
    "entries",
    "inside",
    "parsed",
    "read_json",
    "read_lines",
    "require",
    "taken",
    "text_in",
    "text_lines",
    "text_of",
]


def require(folder: Path, names: Sequence[str], what: str) -> None:
    """Check that files and folders are there.

    Raises:
        ValueError: some are missing; the message names them all, and `what` they belong to.
    """
    missing = [name for name in names if not (folder / name).exists()]
    if missing:
        raise ValueError(
            f"{folder} lacks {', '.join(missing)}; {what} is read from {', '.join(names)}."
        )


def either(folder: Path, names: Sequence[str], what: str) -> Path:
    """The first of several places that exists.

    Raises:
        ValueError: none does.
    """
    for name in names:
        if (folder / name).exists():
            return folder / name
    raise ValueError(f"{folder} lacks {' or '.join(names)}, which {what} needs.")


def read_json(path: Path) -> Any:
    """Plain values of a JSON file.

    Raises:
        ValueError: it cannot be read, or is no JSON.
    """
    try:
        return texts.read_json(path)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from error


def byte_lines(path: Path) -> Iterator[tuple[str, bytes]]:
    """Lines of a file as bytes, each with its place.

    A line that is no text spoils no other: see `text_in`.

    Raises:
        ValueError: the file cannot be read.
    """
    check_file(path)
    try:
        with path.open("rb") as lines:
            # Windows ends lines by two signs, and old Macs by the other one.
            split = (line for several in lines for line in several.splitlines(keepends=True))
            for number, line in enumerate(split, start=1):
                yield f"{path}, line {number}", line.removeprefix(BOM) if number == 1 else line
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from error


def text_lines(path: Path) -> Iterator[tuple[str, bytes]]:
    """Lines of a text file, without blanks around them; blank ones are skipped.

    Raises:
        ValueError: it cannot be read, or has no line.
    """
    some = False
    for where, line in byte_lines(path):
        if line.strip():
            some = True
            yield where, line.strip()
    if not some:
        raise ValueError(f"{path} has no entries.")


def text_in(where: str, line: bytes) -> str:
    """The text of a line.

    Raises:
        ValueError: it is not in UTF-8.
    """
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise ValueError(no_text(where, error)) from error


def read_lines(path: Path) -> Iterator[tuple[str, Any]]:
    """Plain values of a file of JSON lines, each with its place; blank lines are skipped.

    Raises:
        ValueError: a line is no JSON.
    """
    for where, line in text_lines(path):
        yield where, parsed(where, line)


def entries(where: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The entries of a list, each with its place.

    Raises:
        ValueError: it is no list.
    """
    if not isinstance(value, list):
        raise ValueError(f"{where} is no list but {kind_of(value)}; is it the right file?")
    for index, entry in enumerate(value):
        yield f"{where}, entry {index}", entry


def text_of(value: Any, what: str, where: str) -> str:
    """A text that is not blank, without blanks around it.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{where} has no {what}: a text is wanted that is not empty.")
    return value.strip()


def inside(folder: Path, name: str, where: str) -> Path:
    """The file that an annotation names, within its folder.

    Raises:
        ValueError: the name leads out of it.
    """
    path = folder / name
    # Links in a data set are its owner's choice; a path in a file is not.
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(f"{where} names {name[:200]!r}, which leads out of {folder}.")
    return path
