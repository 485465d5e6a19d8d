"""Records as rows of an Arrow table, and back."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Int

from frostbench.bench.store.letters import all_in_whole_letters
from frostbench.bench.store.records import Key, Record

_TEXT = pa.string()
_STORED = pa.struct(
    [("kind", _TEXT), ("text", _TEXT), ("blob", _TEXT), ("accepted", pa.list_(_TEXT))]
)
_COST = pa.struct(
    [
        ("seconds", pa.float64()),
        ("prompt_tokens", pa.int64()),
        ("generated_tokens", pa.int64()),
        ("peak_bytes", pa.int64()),
        ("joules", pa.float64()),
    ]
)
_MATCHES = pa.struct(
    [
        ("name", _TEXT),
        ("things", pa.int64()),
        ("scores", pa.list_(pa.float64())),
        ("marks", pa.list_(_TEXT)),
    ]
)
SCHEMA = pa.schema(
    [
        *((name, _TEXT) for name in ("suite", "task", "protocol", "method", "control")),
        *((name, _TEXT) for name in ("sample", "cluster", "status", "error")),
        ("prediction", _STORED),
        ("target", _STORED),
        ("scores", pa.map_(_TEXT, pa.float64())),
        ("features", pa.map_(_TEXT, pa.list_(_TEXT))),
        ("cost", _COST),
        ("pictures", pa.map_(_TEXT, _TEXT)),
        ("words", pa.map_(_TEXT, pa.list_(pa.list_(_TEXT)))),
        ("extra", pa.map_(_TEXT, pa.float64())),
        ("counts", pa.map_(_TEXT, pa.list_(pa.float64()))),
        ("matches", pa.map_(_TEXT, pa.list_(_MATCHES))),
        ("whole", pa.map_(_TEXT, pa.list_(pa.float64()))),
        ("asked", _TEXT),
        ("phrases", pa.list_(pa.list_(pa.int64()))),
        ("made_by", _TEXT),
        ("machine", _TEXT),
    ]
)
TOGETHER = 1 << 13
"""Most rows of a table that is made at once, and of a row group of a sealed file."""
_MAPS = ("scores", "features", "pictures", "words", "extra", "counts", "matches", "whole")


def table_of(records: Sequence[Record]) -> Any:
    """Records as an Arrow table of `SCHEMA`."""
    rows = [_row(record) for record in records]
    try:
        return pa.Table.from_pylist(rows, schema=SCHEMA)
    except UnicodeEncodeError:
        return pa.Table.from_pylist(all_in_whole_letters(rows), schema=SCHEMA)


def keys_of(table: Any) -> Iterator[Key]:
    """The key of each row; see `Record.key`."""
    names = ("task", "protocol", "method", "control", "sample")
    return zip(*(table.column(name).to_pylist() for name in names), strict=True)


def in_order(tables: Sequence[Any], rows: Int[np.ndarray, " n"]) -> Iterator[Any]:
    """Rows of consecutive tables, in another order, as tables of `TOGETHER` rows."""
    ends = np.cumsum([len(table) for table in tables])
    for start in range(0, len(rows), TOGETHER):
        some = rows[start : start + TOGETHER]
        which = np.searchsorted(ends, some, side="right")
        order = np.argsort(which, kind="stable")
        parts = [
            tables[number].take(
                pa.array(some[which == number] - ends[number] + len(tables[number]))
            )
            for number in np.unique(which).tolist()
        ]
        yield pa.concat_tables(parts).take(pa.array(np.argsort(order)))


def record_of(row: dict[str, Any]) -> Record:
    """The record of a row, as Arrow gives it in plain values.

    Raises:
        ValueError: a part is missing, or is not what it should be.
    """
    for name in _MAPS:
        row[name] = dict(row.get(name) or ())
    return Record.from_json(row)


def _row(record: Record) -> dict[str, Any]:
    row = record.to_json()
    for name in _MAPS:
        row[name] = list(row[name].items())
    return row
