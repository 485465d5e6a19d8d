"""Entries that readers leave out of a file, counted by reason and reported in a warning.

In published files these are what the official readers leave out; in a user's, missing images.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from frostbench.plugins.host.errors import UserNote

T = TypeVar("T")


class Dropped:
    """Entries of a file that are not read, by reason, each with its place."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: dict[str, list[str]] = {}

    def add(self, reason: str, where: str) -> None:
        """Leave an entry out: `reason` follows "left out, as"."""
        self._places.setdefault(reason, []).append(where)

    def is_twin(self, known: Mapping[int, T], number: int, new: T, where: str) -> bool:
        """Whether the same entry came before, word for word: then it is left out.

        Raises:
            ValueError: its id is that of another entry.
        """
        if number not in known:
            return False
        if known[number] != new:
            raise ValueError(f"{where}: the id {number} is another entry's too.")
        self.add("they stand there twice", where)
        return True

    def say(self, kind: type[UserNote] = UserNote) -> None:
        """Warn once for each reason."""
        for reason, places in self._places.items():
            warnings.warn(
                f"{self._path}: {len(places)} left out, as {reason}; the first is {places[0]}.",
                kind,
                stacklevel=2,
            )
