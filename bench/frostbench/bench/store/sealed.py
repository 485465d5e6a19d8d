"""Sealed records: one Parquet file for each finished task and protocol."""

import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Int

from frostbench.bench.store.atomic import file_facts, regular, write_whole
from frostbench.bench.store.records import Record
from frostbench.bench.store.schema import SCHEMA, TOGETHER, record_of, table_of

DIGEST = ".sha256"
ROWS = 256  # read at once
LARGEST = 1 << 28  # most bytes of that many rows
LARGEST_FILE = 1 << 36  # bytes of all, without compression
MOST_VALUES = 1 << 26  # most bytes of one column of one group


def sealed_name(task: str, protocol: str | None) -> str:
    """The file of a task and protocol, within `sealed/`."""
    stem = (
        quote(task, safe="") if protocol is None else f"{quote(task, safe='')}@{_quoted(protocol)}"
    )
    return f"{stem}.parquet"


def _quoted(protocol: str) -> str:
    """A protocol's name, with characters that would lead out of the folder escaped."""
    return protocol.replace("/", "%2F").replace("\0", "%00")


def write_sealed(path: Path, records: Sequence[Record]) -> None:
    """Write records as Parquet, atomically, and the file's digest beside it."""
    write_tables(path, [table_of(records)])


def write_tables(path: Path, tables: Iterable[Any]) -> None:
    """Write Arrow tables of `SCHEMA` as one sealed file."""
    content, digest = as_parquet(tables), path.with_suffix(DIGEST)
    # Without a digest a file is read unchecked; with another file's digest it would count as
    # damaged.
    digest.unlink(missing_ok=True)
    write_whole(path, content)
    write_whole(digest, hashlib.sha256(content).hexdigest().encode())


def as_parquet(tables: Iterable[Any]) -> bytes:
    """Arrow tables of `SCHEMA` as the bytes of a Parquet file."""
    buffer = io.BytesIO()
    with pq.ParquetWriter(buffer, SCHEMA, compression="zstd", write_page_checksum=True) as file:
        for table in tables:
            file.write_table(table, row_group_size=TOGETHER)
    return buffer.getvalue()


def read_sealed(path: Path) -> list[Record]:
    """The records of a sealed file.

    Raises:
        ValueError: it is no such file, or would take too much memory.
    """
    file = Sealed(path)
    return file.records(np.arange(len(file)))


class Sealed:
    """A file of sealed records, on the disk or in memory; single columns or rows can be read.

    Raises:
        ValueError: it is no such file, has changed since it was stored, or would take too much
        memory.
    """

    def __init__(self, source: Path | bytes) -> None:
        self.source = source
        if isinstance(source, Path):
            self._facts = file_facts(source)
            _check_digest(source)
        with self._opened() as file:
            _check(file)
            facts, self.names = file.metadata, file.schema_arrow.names
            self._groups = [
                facts.row_group(number).num_rows for number in range(facts.num_row_groups)
            ]
            leaves = [file.schema.column(number) for number in range(len(file.schema))]
            # So a text of many rows is held once.
            self._texts = [one.path for one in leaves if one.physical_type == "BYTE_ARRAY"]

    def __len__(self) -> int:
        return sum(self._groups)

    def column(self, name: str) -> Iterator[Any]:
        """The Arrow arrays of a column, or of one leaf of it ("cost.seconds"); texts as codes.

        There are none in a file that is older than the column.
        """
        if name.partition(".")[0] in self.names:
            with self._opened(self._texts) as file:
                # Codes in lists can only be read one group at a time.
                for group in range(file.num_row_groups):
                    for batch in file.iter_batches(TOGETHER, row_groups=[group], columns=[name]):
                        yield batch.column(0)

    def records(self, rows: Int[np.ndarray, " n"]) -> list[Record]:
        """The records of some rows, in the order in which they are asked for."""
        found: dict[int, Record] = {}
        asked, ends = np.unique(rows), np.cumsum(self._groups)
        columns = [name for name in SCHEMA.names if name in self.names]
        with self._opened() as file:
            for group in np.unique(np.searchsorted(ends, asked, side="right")).tolist():
                start = int(ends[group]) - self._groups[group]
                for batch in file.iter_batches(ROWS, row_groups=[group], columns=columns):
                    if batch.nbytes > LARGEST:
                        raise ValueError(f"{ROWS} of its rows have {batch.nbytes} bytes")
                    first, last = np.searchsorted(asked, (start, start + len(batch)))
                    wanted = asked[first:last]
                    if len(wanted):
                        plain = batch.take(pa.array(wanted - start)).to_pylist()
                        found.update(zip(wanted.tolist(), map(record_of, plain), strict=True))
                    start += len(batch)
        return [found[row] for row in rows.tolist()]

    def _opened(self, texts: Sequence[str] = ()) -> Any:
        source = self.source
        if isinstance(source, Path) and file_facts(source) != self._facts:
            raise ValueError("it was changed while it was read")
        opened = regular(source) if isinstance(source, Path) else pa.BufferReader(source)
        return pq.ParquetFile(opened, page_checksum_verification=True, read_dictionary=list(texts))


def digest_of(path: Path) -> str:
    """The SHA-256 that a sealed file is checked against; "" without one."""
    kept = path.with_suffix(DIGEST)
    return regular(kept).read_text(encoding="ascii", errors="replace")[:64] if kept.exists() else ""


def _check_digest(path: Path) -> None:
    """Check that the file is what was written, before native code reads it.

    Files older than digests have none.
    """
    if kept := digest_of(path):
        with regular(path).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != kept:
            raise ValueError("it is not what was stored")


def _check(file: Any) -> None:
    """Check that the columns are ours; a few compressed bytes could be endless rows."""
    for name in SCHEMA.names:
        if name in file.schema_arrow.names:
            found, wanted = file.schema_arrow.field(name).type, SCHEMA.field(name).type
            if not found.equals(wanted):
                raise ValueError(
                    f"its column {name!r} is {str(found)[:80]} and no {str(wanted)[:80]}"
                )
    facts = file.metadata
    groups = [facts.row_group(number) for number in range(facts.num_row_groups)]
    values = [group.column(n).num_values for group in groups for n in range(group.num_columns)]
    size = sum(group.total_byte_size for group in groups)
    if facts.num_rows > MOST_VALUES or max(values, default=0) > MOST_VALUES or size > LARGEST_FILE:
        raise ValueError(f"it promises {facts.num_rows} rows and {size} bytes")
