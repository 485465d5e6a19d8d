"""Sealed records: one Parquet file for each finished task and protocol."""

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from frostbench.bench.store.atomic import regular, write_whole
from frostbench.bench.store.letters import all_in_whole_letters
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
DIGEST = ".sha256"
ROWS = 64  # read at once
LARGEST = 1 << 26  # bytes of so many rows
LARGEST_FILE = 1 << 32  # bytes of all, without compression
MOST_VALUES = 1 << 26  # of one column
_MAPS = ("scores", "features", "pictures", "words", "extra", "counts", "matches", "whole")


def sealed_name(task: str, protocol: str | None) -> str:
    """The file of a task and protocol, within `sealed/`."""
    stem = (
        quote(task, safe="") if protocol is None else f"{quote(task, safe='')}@{_quoted(protocol)}"
    )
    return f"{stem}.parquet"


def _quoted(protocol: str) -> str:
    """A protocol as it stands, but for what would lead out of the folder."""
    return protocol.replace("/", "%2F").replace("\0", "%00")


def table_of(records: Sequence[Record]) -> Any:
    """Records as an Arrow table of `SCHEMA`."""
    rows = [_row(record) for record in records]
    try:
        return pa.Table.from_pylist(rows, schema=SCHEMA)
    except UnicodeEncodeError:
        return pa.Table.from_pylist(all_in_whole_letters(rows), schema=SCHEMA)


def write_sealed(path: Path, records: Sequence[Record]) -> None:
    """Write records as Parquet, atomically, and the file's digest beside it."""
    buffer = io.BytesIO()
    pq.write_table(table_of(records), buffer, compression="zstd", write_page_checksum=True)
    content, digest = buffer.getvalue(), path.with_suffix(DIGEST)
    # Without a digest a file is read as it is; with that of another it would count as damaged.
    digest.unlink(missing_ok=True)
    write_whole(path, content)
    write_whole(digest, hashlib.sha256(content).hexdigest().encode())


def read_sealed(path: Path) -> list[Record]:
    """The records of a sealed file.

    Raises:
        ValueError: it is no such file, or would take more memory than any.
    """
    _check_digest(path)
    with pq.ParquetFile(regular(path), page_checksum_verification=True) as file:
        _check(file)
        records: list[Record] = []
        for batch in file.iter_batches(ROWS, columns=_columns(file)):
            if batch.nbytes > LARGEST:
                raise ValueError(f"{ROWS} of its rows have {batch.nbytes} bytes")
            records += map(_record, batch.to_pylist())
    return records


def _check_digest(path: Path) -> None:
    """See that the file is what was written, before native code reads it.

    Files of before there were digests have none.
    """
    kept = path.with_suffix(DIGEST)
    if kept.exists():
        with regular(path).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found.encode() != regular(kept).read_bytes()[:64]:
            raise ValueError("it is not what was stored")


def _columns(file: Any) -> list[str]:
    return [name for name in SCHEMA.names if name in file.schema_arrow.names]


def _check(file: Any) -> None:
    """See that the columns are ours; compressed, a few bytes could be rows without end."""
    for name in _columns(file):
        found, wanted = file.schema_arrow.field(name).type, SCHEMA.field(name).type
        if not found.equals(wanted):
            raise ValueError(f"its column {name!r} is {str(found)[:80]} and no {str(wanted)[:80]}")
    facts = file.metadata
    groups = [facts.row_group(number) for number in range(facts.num_row_groups)]
    values = [group.column(n).num_values for group in groups for n in range(group.num_columns)]
    size = sum(group.total_byte_size for group in groups)
    if facts.num_rows > MOST_VALUES or max(values, default=0) > MOST_VALUES or size > LARGEST_FILE:
        raise ValueError(f"it promises {facts.num_rows} rows and {size} bytes")


def _row(record: Record) -> dict[str, Any]:
    row = record.to_json()
    for name in _MAPS:
        row[name] = list(row[name].items())
    return row


def _record(row: dict[str, Any]) -> Record:
    for name in _MAPS:
        row[name] = dict(row.get(name) or ())
    return Record.from_json(row)
