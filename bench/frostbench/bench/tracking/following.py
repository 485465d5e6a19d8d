"""Follows a run's folder from another process, and tells observers what is new."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from frostbench.bench.store.reader import StoredRun, read_manifest
from frostbench.bench.store.records import Record
from frostbench.bench.tracking.tracker import Tracker
from frostbench.plugins.host.registry import Host

EVERY = 2.0  # seconds between two looks, at least
SHARE = 9
"""A look is followed by a pause of this many times its duration."""
BATCH = 1000  # most records that are Python objects at the same time


def follow(folder: Path, tracker: Tracker, over: Callable[[float], bool]) -> None:
    """Tell a tracker of all samples, in the order in which they are seen, until it is `over`.

    `over` waits for at most the given seconds, and says whether nothing more will be stored.
    """
    host = Host(installed=False)
    host.register(tracker, "tracker")
    ((_, hooks),) = host.observers()
    run = StoredRun(folder)
    seen: dict[tuple[str | None, ...], set[str]] = {}
    hooks["frostbench_run_started"](manifest=read_manifest(folder).to_json())
    first, last = True, False
    while True:
        begun = time.monotonic()
        for record in _new(run, seen):
            hooks["frostbench_sample_scored"](sample=_values(record))
        if first:
            tracker.caught_up()
            first = False
        if last:
            break
        last = over(max(EVERY, SHARE * (time.monotonic() - begun)))
    if read_manifest(folder).status != "running":
        hooks["frostbench_run_finished"](folder=str(folder))


def _new(run: StoredRun, seen: dict[tuple[str | None, ...], set[str]]) -> Iterator[Record]:
    """The samples that are not seen yet, a few at a time."""
    tables = run.tables()
    for task in read_manifest(run.folder).tasks.values():
        for protocol in task.ways:
            table = tables.table(task.name, protocol)
            for who, places in table.rows.items():
                known = seen.setdefault((task.name, protocol, *who), set())
                if len(places) == len(known):
                    continue
                names = table.samples(places)
                new = [
                    place for place, name in zip(places, names, strict=True) if name not in known
                ]
                known.update(names)
                for start in range(0, len(new), BATCH):
                    yield from table.records(np.array(new[start : start + BATCH]))


def _values(record: Record) -> dict[str, Any]:
    return asdict(record)
