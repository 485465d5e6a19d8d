"""Sealed records: one Parquet file for each finished task and protocol."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from frostbench.bench.store.atomic import write_whole
from frostbench.bench.store.records import Record

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
        ("asked", _TEXT),
        ("phrases", pa.list_(pa.list_(pa.int64()))),
        ("made_by", _TEXT),
        ("machine", _TEXT),
    ]
)
_MAPS = ("scores", "features", "pictures", "words", "extra", "counts")


def sealed_name(task: str, protocol: str | None) -> str:
    """The file of a task and protocol, within `sealed/`."""
    stem = quote(task, safe="") if protocol is None else f"{quote(task, safe='')}@{protocol}"
    return f"{stem}.parquet"


def table_of(records: Sequence[Record]) -> Any:
    """Records as an Arrow table of `SCHEMA`."""
    return pa.Table.from_pylist([_row(record) for record in records], schema=SCHEMA)


def write_sealed(path: Path, records: Sequence[Record]) -> None:
    """Write records as Parquet, atomically."""
    buffer = io.BytesIO()
    pq.write_table(table_of(records), buffer, compression="zstd", write_page_checksum=True)
    write_whole(path, buffer.getvalue())


def read_sealed(path: Path) -> list[Record]:
    """The records of a sealed file.

    Raises:
        ValueError: it is damaged; what lies beneath may say so by an OSError too.
    """
    rows = pq.ParquetFile(path, page_checksum_verification=True).read().to_pylist()
    try:
        return [_record(row) for row in rows]
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"a record in it is none: {error}") from error


def _row(record: Record) -> dict[str, Any]:
    row = record.to_json()
    for name in _MAPS:
        row[name] = list(row[name].items())
    return row


def _record(row: dict[str, Any]) -> Record:
    for name in _MAPS:
        row[name] = dict(row.get(name) or ())
    return Record.from_json(row)
