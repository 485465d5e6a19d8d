"""Stored runs of which something is changed after they were opened."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from frostbench.bench.store.manifest import Manifest
from frostbench.bench.store.reader import StoredRun
from frostbench.bench.store.records import Record
from frostbench.bench.store.schema import table_of
from frostbench.bench.store.tables import Tables


def changed(
    run: StoredRun,
    records: Sequence[Record] | None = None,
    manifest: Manifest | None = None,
    **fields: Any,
) -> StoredRun:
    """The same run with other records, another manifest, or other fields of it."""
    other = StoredRun(run.folder)
    other.manifest = replace(manifest or run.manifest, **fields)
    kept = run.records() if records is None else list(records)
    other.records = lambda: list(kept)
    other.tables = lambda: Tables.of([], [table_of(kept)])
    return other
