"""The identity of a data set: its files."""

import hashlib
from functools import cache
from pathlib import Path


@cache
def data_digest(folder: Path) -> str:
    """SHA-256 over the names and contents of all files below `folder`, in the order of their names.

    Raises:
        FileNotFoundError: there is no such folder, or it is empty.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not files:
        raise FileNotFoundError(f"no data in {folder}; `frostbench train` makes the mini pack's.")
    total = hashlib.sha256()
    for path in files:
        total.update(f"{path.relative_to(folder).as_posix()}\0".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()
