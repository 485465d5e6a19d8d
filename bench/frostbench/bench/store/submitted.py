"""Facts about handed-in results: who handed them in, and what `accept` found."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from frostbench.bench.store.atomic import StoreError, reading, regular
from frostbench.bench.store.typed import Name, typed

SUBMISSION, ACCEPTED = "submission.json", "accepted.json"
AGAIN, REPLAYED, NOT_AGAIN = "scored again", "replayed", "not scored again"
LARGEST = 1 << 20  # bytes of either file
T = TypeVar("T")


@dataclass(frozen=True)
class Submission:
    """A method's results as they were handed in.

    `identity` is the method's digest over code, weights and settings; `by` says who hands them in,
    `url` is a page about them.
    """

    method: Name
    version: Name
    identity: Name
    by: Name
    url: Name = ""
    submitted: Name = ""
    frostbench: Name = ""
    schema: int = 1

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Acceptance:
    """What `frostbench accept` found to hold, by the SHA-256 of the sealed files it looked at."""

    frostbench: Name
    seals: Mapping[str, Name] = field(default_factory=dict)
    rows: Mapping[str, Name] = field(default_factory=dict)
    schema: int = 1

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def read_submission(folder: Path) -> Submission | None:
    """Who handed a folder in; None for a run that was not handed in.

    Raises:
        StoreError: the file cannot be read.
    """
    return _read(Submission, folder / SUBMISSION)


def read_acceptance(folder: Path) -> Acceptance | None:
    """The findings of `frostbench accept`; None where it did not run.

    Raises:
        StoreError: the file cannot be read.
    """
    return _read(Acceptance, folder / ACCEPTED)


def _read(kind: type[T], path: Path) -> T | None:
    if not regular(path).exists():
        return None
    if path.stat().st_size > LARGEST:
        raise StoreError(f"{path} has more than {LARGEST} bytes.")
    with reading(path):
        found: T = typed(kind, json.loads(path.read_bytes()))
    return found
