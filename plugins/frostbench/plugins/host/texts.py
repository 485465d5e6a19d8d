"""JSON files, read with errors that name file, line and key."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BOM = b"\xef\xbb\xbf"  # with which Windows programs begin UTF-8 files
SHOWN = 20  # characters shown from where a text stops being JSON


def read_json(path: Path) -> Any:
    """Plain values of a JSON file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no JSON; the message names the line.
    """
    check_file(path)
    return parsed(str(path), path.read_bytes())


def check_file(path: Path) -> None:
    """Check that a path is a file: opening a pipe would wait for somebody to fill it.

    Raises:
        ValueError: it is there, and is no file.
    """
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is a folder, a pipe or a device, and a file is wanted.")


def parsed(where: str, content: bytes) -> Any:
    """Plain values of a JSON text, such as a file or a line of one.

    Raises:
        ValueError: it is no JSON; the message says where.
    """
    lined = ", line " not in where
    try:
        return json.loads(content.removeprefix(BOM).decode())
    except UnicodeDecodeError as error:
        number = 1 + error.object.count(b"\n", 0, error.start)
        line = f", line {number}" if lined else ""
        raise ValueError(no_text(f"{where}{line}", error)) from error
    except json.JSONDecodeError as error:
        rest = error.doc[error.pos :].strip()
        line = f", line {error.lineno}" if lined else ""
        if not error.doc.strip():
            clause = f"{where} is no JSON: it is empty"
        elif not rest:
            clause = f"{where} is no JSON: it ends in the middle of a value"
        else:
            clause = f"{where}{line} is no JSON from {rest[:SHOWN]!r} on"
        raise ValueError(f"{clause}.") from error
    except ValueError as error:  # raised for a number with thousands of digits
        raise ValueError(f"{where} is no JSON: it holds a number without end.") from error
    except RecursionError as error:
        raise ValueError(f"{where} is no JSON: it nests too deep.") from error


def no_text(where: str, error: UnicodeDecodeError) -> str:
    """The sentence for bytes that are no text in UTF-8."""
    byte = error.object[error.start]
    return f"{where} is no text in UTF-8: it has the byte 0x{byte:02x} where none of UTF-8 can be."


def taken(where: str, entry: Any, key: str, kind: type | tuple[type, ...]) -> Any:
    """The value that an entry holds under a key.

    Raises:
        ValueError: the entry is no mapping, lacks the key, or holds another kind under it.
    """
    if not isinstance(entry, Mapping):
        raise ValueError(f"{where} is no mapping but {kind_of(entry)}; is it the right file?")
    if key not in entry:
        raise ValueError(f"{where} has no {key!r}; it has {', '.join(map(repr, entry)) or 'none'}.")
    value = entry[key]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        wanted = " or ".join(dict.fromkeys(_NAMES.get(one, one.__name__) for one in kinds))
        raise ValueError(f"{where} holds {kind_of(value)} under {key!r}, where {wanted} is wanted.")
    return value


def kind_of(value: Any) -> str:
    """What a plain value is, in words.

    >>> kind_of([]), kind_of(None)
    ('a list', 'nothing')
    """
    return _NAMES.get(type(value), f"a {type(value).__name__}")


_NAMES: Mapping[type, str] = {
    list: "a list",
    dict: "a mapping",
    Mapping: "a mapping",
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    type(None): "nothing",
}
