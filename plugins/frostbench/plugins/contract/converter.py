"""Converters: turn files as their authors publish them into folders that a pack can name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

Precision: TypeAlias = Literal["full", "half", "byte"]
"""How weights are stored: as they are, in half precision, or with a byte a number."""


@dataclass(frozen=True)
class PublishedFile:
    """A file, or a folder, that a converter reads, and what people know it as.

    It is given as `NAME=FILE`; those that are `needed` may also stand in their order without names.
    """

    name: str
    what: str
    needed: bool = True


@dataclass(frozen=True)
class Converter:
    """How published files become a folder of weights.

    `name` is the method, or the kind of backbone, that reads the folder. `target` is the
    function `(Conversion) -> Converted`, or names it as "module:function", so that listing
    converters imports nothing heavy. `settings` says in a sentence which settings it knows besides
    the files.
    """

    name: str
    files: tuple[PublishedFile, ...]
    target: "str | Callable[[Conversion], Converted]"
    summary: str
    settings: str = ""


@dataclass(frozen=True)
class Conversion:
    """One conversion: files by their names, the empty folder to fill, settings as they were typed.

    `precision` is what weights are stored in: "full", as they are, unless somebody asks for less.
    """

    files: Mapping[str, Path]
    out: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    precision: Precision = "full"


@dataclass(frozen=True, eq=False)
class Converted:
    """What was converted.

    `tensors` are the tensors of the official files that were kept, under any names: what is written
    has as many numbers and the same sum. `left_out` says what was not kept and why, `notes` what a
    user must know.
    """

    tensors: Mapping[str, Any]
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
