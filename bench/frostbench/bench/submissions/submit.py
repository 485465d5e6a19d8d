"""Writes a run's results, method by method, into a repository of results."""

import datetime
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from frostbench.bench.leaderboard import build
from frostbench.bench.store.atomic import StoreError, replacing, write_json
from frostbench.bench.store.blobs import Blobs
from frostbench.bench.store.chunks import Places
from frostbench.bench.store.manifest import Manifest
from frostbench.bench.store.reader import StoredRun
from frostbench.bench.store.records import Record
from frostbench.bench.store.schema import TOGETHER, table_of
from frostbench.bench.store.sealed import sealed_name, write_tables
from frostbench.bench.store.submitted import SUBMISSION, Submission
from frostbench.bench.store.tables import NO_PLACES, SampleTable
from frostbench.bench.submissions.places import (
    OUTPUTS,
    checked_repository,
    folder_of,
    version_of,
)
from frostbench.plugins.host.packs import sha256_of

# The last part of a path on a user's machine is enough.
_PLACE = re.compile(r"(?<![\w:/.])(?:~|[A-Za-z]:)?[/\\](?:[^\s/\\'\",;]+[/\\])*(?=[^\s/\\'\",;])")


def submit(
    run: StoredRun,
    repository: Path,
    by: str,
    url: str = "",
    methods: Sequence[str] = (),
    again: bool = False,
) -> list[Path]:
    """Write the results of a run's methods, with their answers; return the folders.

    The default is all methods. `again` replaces earlier results of the same version.

    Raises:
        StoreError: the run is not finished, or failed; it is an imported one; a version of the
            method is there already; an output is missing.
        LookupError: the run has no such method.
    """
    checked_repository(repository)
    manifest = run.manifest
    if manifest.status != "finished" or manifest.imported:
        what = f"imported from {manifest.imported}" if manifest.imported else manifest.status
        raise StoreError(f"{run.folder} is {what}; only a finished run of this bench is handed in.")
    if not by.strip():
        raise StoreError("who hands the results in? A name is wanted: by=NAME.")
    for name in methods:
        if name not in manifest.methods:
            known = ", ".join(sorted(manifest.methods)) or "none"
            raise LookupError(f"{run.folder} has no method {name!r}; it has {known}.")
    folders = []
    for method in methods or manifest.methods:
        entry = manifest.methods[method]
        folder = folder_of(repository, method, entry)
        if (folder / SUBMISSION).exists() and not again:
            raise StoreError(
                f"{folder} holds results of this version of {method!r} already; again=true puts "
                "new ones in their place."
            )
        told = Submission(
            method=method,
            version=version_of(entry),
            identity=entry.identity,
            by=by,
            url=url,
            submitted=datetime.datetime.now(datetime.UTC).date().isoformat(),
            frostbench=version("frostbench"),
        )
        _write(run, told, repository, folder)
        folders.append(folder)
    return folders


def _write(run: StoredRun, told: Submission, repository: Path, folder: Path) -> None:
    outputs, seals, answered = Blobs(repository / OUTPUTS), dict[str, str](), set[str]()
    kept: set[str] = set()
    with replacing(folder, SUBMISSION, lambda path: True) as made:
        (made / "sealed").mkdir()
        for task, protocol, table, places in _tables(run, told.method):
            path = made / "sealed" / sealed_name(task, protocol)
            write_tables(path, map(table_of, _records(run, table, places, outputs, kept)))
            seals[path.name] = sha256_of(path)
            answered.add(task)
        mine = of_method(run.manifest, told.method)
        for name in corpora(mine):
            outputs.copy(run.blobs.path(name))
        tasks = {name: one for name, one in mine.tasks.items() if name in answered}
        manifest = replace(mine, tasks=tasks, seals=seals)
        write_json(made / "manifest.json", without_places(manifest.to_json()))
        write_json(made / SUBMISSION, told.to_json())
        for name, content in rows_files(StoredRun(made, repository / OUTPUTS)).items():
            write_json(made / name, content)
        outputs.sync()


def _tables(run: StoredRun, method: str) -> Iterator[tuple[str, str | None, SampleTable, Places]]:
    """For each task and protocol: samples of a method, its controls, and common controls."""
    tables = run.tables()
    for task in run.manifest.tasks.values():
        for protocol in task.ways:
            table = tables.table(task.name, protocol)
            mine = [places for (who, _), places in table.rows.items() if who in (method, None)]
            places = np.concatenate([*mine, NO_PLACES])
            if any(who == method for who, _ in table.rows):
                yield task.name, protocol, table, places


def _records(
    run: StoredRun, table: SampleTable, places: Places, outputs: Blobs, kept: set[str]
) -> Iterator[list[Record]]:
    """The samples, some at a time, after their outputs were copied into the repository.

    Inputs and targets are those of many samples, and are `kept` once.
    """
    for start in range(0, len(places), TOGETHER):
        records = table.records(places[start : start + TOGETHER])
        names = {name for record in records for name in record.blobs} - kept
        for name in names:
            if not outputs.intact(name):
                outputs.copy(run.blobs.path(name))
        kept |= names
        yield records


def corpora(manifest: Manifest) -> list[str]:
    """The hashes of what metrics learned from."""
    return [task.corpus for task in manifest.tasks.values() if task.corpus is not None]


def of_method(manifest: Manifest, method: str) -> Manifest:
    """The manifest as if the run had had one method alone."""
    here = (method, None)

    def mine(found: Mapping[str, Any]) -> dict[str, Any]:
        return {name: one for name, one in found.items() if name == method}

    origins: Any = manifest.origins
    return replace(
        manifest,
        methods=mine(manifest.methods),
        dashes=tuple(one for one in manifest.dashes if one.method == method),
        controls_left_out=tuple(o for o in manifest.controls_left_out if o.method == method),
        failures=tuple(one for one in manifest.failures if one.method in here),
        config={**manifest.config, "methods": [method]},
        origins={**origins, "method": mine(origins.get("method", {}))} if origins else origins,
        tokenizer=mine(manifest.tokenizer),
        memory=mine(manifest.memory),
        visual=mine(manifest.visual),
    )


def without_places(value: Any) -> Any:
    """Plain values with paths of files and folders reduced to names.

    >>> without_places({"pack": "/home/me/packs/mini", "out": "runs/one", "url": "https://a.b/c"})
    {'pack': 'mini', 'out': 'runs/one', 'url': 'https://a.b/c'}
    """
    match value:
        case str():
            return _PLACE.sub("", value)
        case Mapping():
            return {key: without_places(one) for key, one in value.items()}
        case list() | tuple():
            return [without_places(one) for one in value]
        case _:
            return value


def rows_files(run: StoredRun) -> Mapping[str, Any]:
    """For people, and for other boards: the rows of each task and protocol, by file name."""
    board = build([run])
    found: dict[str, Any] = {}
    for row in board.rows:
        if row.run is None:
            continue
        name = f"{Path(sealed_name(row.task, row.protocol)).stem}.json"
        part = found.setdefault(name, {"rows": [], "verdicts": []})
        part["rows"].append({key: one for key, one in asdict(row).items() if key != "checked"})
    for verdict in board.verdicts:
        name = f"{Path(sealed_name(verdict.task, verdict.protocol)).stem}.json"
        found[name]["verdicts"].append(asdict(verdict))
    return found
