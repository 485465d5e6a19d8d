"""Writes an export into a folder: all of it or nothing."""

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import pyarrow.parquet as pq

from frostbench.bench.exchange.every_eval_ever import Evaluator, every_eval_ever
from frostbench.bench.exchange.frames import rows_table, samples_table
from frostbench.bench.exchange.hub import HubPlace, hub_results
from frostbench.bench.exchange.latex import latex
from frostbench.bench.leaderboard.rows import Leaderboard
from frostbench.bench.leaderboard.write import table
from frostbench.bench.store.atomic import StoreError, replacing
from frostbench.bench.store.reader import StoredRun

MARK = "export.json"  # names what was written, so that it can be replaced


@dataclass(frozen=True)
class ExportOptions:
    """Options that runs do not contain: who submits them, and where to."""

    evaluator: Evaluator = field(default_factory=lambda: Evaluator("unknown", "other"))
    place: HubPlace = field(default_factory=lambda: HubPlace("frostbench/frostbench"))


Files: TypeAlias = Iterator[tuple[str, str | bytes]]
FormatWriter: TypeAlias = Callable[[Leaderboard, Sequence[StoredRun], ExportOptions], Files]


def _parquet(board: Leaderboard, runs: Sequence[StoredRun], _: ExportOptions) -> Files:
    for name, content in (("rows", rows_table(board.rows)), ("samples", samples_table(runs))):
        buffer = io.BytesIO()
        pq.write_table(content, buffer, compression="zstd")
        yield f"{name}.parquet", buffer.getvalue()


FORMATS: Mapping[str, FormatWriter] = {
    "latex": lambda board, runs, options: latex(board),
    "eee": lambda board, runs, options: every_eval_ever(board, runs, options.evaluator),
    "hf": lambda board, runs, options: hub_results(board, options.place),
    "csv": lambda board, runs, options: iter([("rows.csv", table(board.rows))]),
    "parquet": _parquet,
}
"""The writers, by the name of the format."""


def export(
    board: Leaderboard,
    runs: Sequence[StoredRun],
    formats: Sequence[str],
    folder: Path,
    options: ExportOptions | None = None,
) -> tuple[str, ...]:
    """Write a leaderboard's runs in some formats; the paths of the files within the folder.

    With several formats, each has a folder of its own in it.
    What an earlier export wrote there is replaced, and other files stay.

    Raises:
        StoreError: the folder holds something else than an export, or cannot be written.
    """
    old = set(_listed(folder / MARK))
    asked = options or ExportOptions()
    with replacing(folder, MARK, lambda path: path.as_posix() in {*old, MARK}) as made:
        names = []
        for name in formats:
            above = f"{name}/" if len(formats) > 1 else ""
            for within, content in FORMATS[name](board, runs, asked):
                path = above + within
                (made / path).parent.mkdir(parents=True, exist_ok=True)
                # A lone half of a letter is in no encoding.
                whole = content if isinstance(content, bytes) else _bytes(content)
                (made / path).write_bytes(whole)
                names.append(path)
        told = {"formats": list(formats), "files": sorted(names)}
        (made / MARK).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return tuple(names)


def _listed(mark: Path) -> Sequence[str]:
    """The files that an earlier export wrote."""
    if not mark.is_file():
        return ()
    try:
        files = json.loads(mark.read_bytes())["files"]
        return [str(name) for name in files]
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{mark} names no files of an export; name another folder with out=."
        ) from error


def _bytes(text: str) -> bytes:
    return text.encode(errors="backslashreplace")
