"""Remembers the hashes of files, so that a large data set is not read for every run."""

import contextlib
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from frostbench.bench.store.atomic import StoreError, write_whole
from frostbench.plugins.host.packs import digest_of, digest_of_files, sha256_of

SETTLED = 2.0  # seconds after which a change would surely alter a file's times


class Hashes:
    """SHA-256 of the files below folders, kept in one file for each folder.

    A file is read again when its inode, size, or times (of content and of status) are other than
    when it was read, or too recent to tell. A damaged file of hashes is made again.

    Attributes:
        read: how many files were read.
    """

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self.read = 0

    def of(self, folder: Path) -> str:
        """One SHA-256 over the files of a folder; see `digest_of_files`.

        Raises:
            ValueError: there are none.
        """
        return self._remembered(folder, partial(digest_of_files, folder))

    def of_file(self, path: Path) -> str:
        """SHA-256 of one file."""
        return self._remembered(path, lambda of_file: of_file(path))

    def _remembered(self, folder: Path, made: Callable[[Callable[[Path], str]], str]) -> str:
        """The result of a function on a folder's files, with known hashes."""
        place = self._cache / f"{digest_of(str(folder.resolve()))}.json"
        known = _known(place)
        seen: dict[str, list[object]] = {}

        def of_file(path: Path) -> str:
            name, facts = str(path), _facts(path)
            kept = known.get(name)
            if kept is not None and kept[:-1] == facts:
                seen[name] = kept
                return str(kept[-1])
            self.read += 1
            young = time.time() - max(facts[-2:]) / 1e9 < SETTLED
            found = sha256_of(path)
            if not young and _facts(path) == facts:
                seen[name] = [*facts, found]
            return found

        digest = made(of_file)
        if seen != known:
            # Without a place to write, everything is read again next time.
            with contextlib.suppress(StoreError):
                write_whole(place, json.dumps(seen).encode(), sync=False)
        return digest


def _facts(path: Path) -> list[int]:
    """Facts that change when a file does; for a link, those of its target."""
    found = path.stat()
    return [found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _known(place: Path) -> dict[str, list[object]]:
    try:
        found = json.loads(place.read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: kept for name, kept in found.items() if isinstance(kept, list) and len(kept) == 5}
