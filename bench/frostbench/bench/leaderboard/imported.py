"""Rows that another bench computed, as rows of our leaderboard."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from frostbench.bench.leaderboard.rows import Kind, Row
from frostbench.bench.statistics import Column

K = TypeVar("K")
NO_INTERVAL = "none: the file that it was read from does not say which samples share an image"


def as_imported(row: Row) -> Row:
    """A row of another bench: only its value stays, and nothing is computed here."""
    how = row.interval and NO_INTERVAL
    return replace(row, kind="imported", low=None, high=None, interval=how, cost=None)


def ranked_together(columns: Mapping[K, tuple[Kind, Column]]) -> dict[K, Column]:
    """The columns of an arena that are ranked: measured ones, and imported ones beside them.

    An arena holds rows of the same documents and the same metric, by digest. Which samples share an
    image is known from our rows alone, and holds for all; without any of ours nothing is ranked.
    """
    ours = {key: column for key, (kind, column) in columns.items() if kind == "measured"}
    if not ours or all(kind != "imported" for kind, _ in columns.values()):
        return ours
    clusters = {
        sample: cluster
        for column in ours.values()
        for sample, cluster in zip(column.samples, column.clusters, strict=True)
    }
    theirs = {
        key: replace(column, clusters=tuple(clusters.get(one, one) for one in column.samples))
        for key, (kind, column) in columns.items()
        if kind == "imported"
    }
    return {**ours, **theirs}
