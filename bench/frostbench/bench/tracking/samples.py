"""Tables of a few samples for trackers: inputs, targets and answers, with images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from frostbench.bench.leaderboard.columns import sample_value
from frostbench.bench.store.manifest import Manifest
from frostbench.bench.store.reader import StoredRun
from frostbench.bench.store.records import Record, Stored
from frostbench.bench.store.tables import SampleTable

LONGEST_TEXT = 500


@dataclass(frozen=True)
class SampleRows:
    """A table: its columns, and rows of texts, numbers, images and None."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def sample_rows(run: StoredRun, manifest: Manifest, table: SampleTable, most: int) -> SampleRows:
    """The first samples by id that have images, under every method and control."""
    shown = table.has("pictures")
    if not shown.any():
        shown = table.where("prediction.kind", "image")
    records = table.records(table.first(shown, most)) if most and shown.any() else []
    given: dict[str, dict[str, str]] = {}  # only one row of a sample keeps what it was given
    for record in records:
        given.setdefault(record.sample, {}).update(record.pictures)
    roles = sorted({role for pictures in given.values() for role in pictures})
    columns = ("sample", "method", "control", *roles, "target", "answer", "score", "error")
    records = sorted(records, key=lambda one: (one.sample, one.control or "", one.method or ""))
    return SampleRows(columns, tuple(_row(run, manifest, one, given, roles) for one in records))


def _row(
    run: StoredRun,
    manifest: Manifest,
    record: Record,
    given: dict[str, dict[str, str]],
    roles: Sequence[str],
) -> tuple[Any, ...]:
    pictures = given[record.sample]
    metric = manifest.metrics[manifest.tasks[record.task].ranks_by]
    return (
        record.sample,
        record.method or "",
        record.control or "",
        *(run.image(pictures[role]) if role in pictures else None for role in roles),
        _shown(run, record.target),
        _shown(run, record.prediction),
        sample_value(record, metric),
        record.error,
    )


def _shown(run: StoredRun, stored: Stored) -> Any:
    """A text or an image; the kind of anything else."""
    if stored.text is not None:
        return stored.text[:LONGEST_TEXT]
    if stored.kind == "image" and stored.blob is not None:
        return run.image(stored.blob)
    return None if stored.kind == "none" else stored.kind
