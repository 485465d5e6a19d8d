"""What a run stores: the manifest and the records, from their dataclasses."""

import dataclasses
import typing
from collections.abc import Iterator
from typing import Any

from docs_site.fields import docstring, schema_rows
from docs_site.page import Page, code, sections, table
from frostbench.bench.store import manifest, records, schema
from frostbench.bench.store.migration import SCHEMA


def schema_pages() -> Iterator[Page]:
    """A page for the manifest, and one for the records."""
    yield Page(
        "reference/manifest.md",
        sections(
            "# Manifest",
            "`manifest.json` in a run's folder holds everything that a number depends on. This is "
            f"schema {SCHEMA}; runs of older ones are read as well.",
            *_classes(manifest.Manifest),
        ),
    )
    columns = [(code(field.name), code(field.type)) for field in schema.SCHEMA]
    yield Page(
        "reference/records.md",
        sections(
            "# Records",
            "One record a sample: a line of `samples/*.jsonl` while the run is at work, a row of "
            "`sealed/*.parquet` when a task is complete.",
            *_classes(records.Record),
            "## Columns of the sealed files",
            table(("column", "type of Arrow"), columns),
        ),
    )


def _classes(first: type) -> Iterator[str]:
    """A section for a dataclass, and for each that its fields are made of."""
    waiting, done = [first], []
    while waiting:
        kind = waiting.pop(0)
        if kind in done:
            continue
        done.append(kind)
        rows = [(code(one.key), code(one.type), code(one.default)) for one in schema_rows(kind)]
        yield sections(
            f"## {kind.__name__}", docstring(kind), table(("field", "type", "default"), rows)
        )
        for hint in typing.get_type_hints(kind).values():
            waiting += _inside(hint)


def _inside(hint: Any) -> Iterator[type]:
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        yield hint
    for inner in typing.get_args(hint):
        yield from _inside(inner)
