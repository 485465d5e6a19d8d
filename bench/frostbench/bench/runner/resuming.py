"""Continues a run: reads its folder, and decides whether this plan may add to it."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from frostbench.bench.runner.instances import DataError, chunks_of
from frostbench.bench.runner.manifest import different, identity, new_manifest
from frostbench.bench.runner.plan import Plan
from frostbench.bench.store.atomic import StoreError
from frostbench.bench.store.leases import WORKERS
from frostbench.bench.store.manifest import Manifest, Origin
from frostbench.bench.store.reader import read_manifest, samples_files
from frostbench.bench.store.records import Record
from frostbench.bench.store.sealed import sealed_name
from frostbench.bench.store.writer import PLUGINS, RunWriter
from frostbench.plugins.host.litter import is_litter

AGAIN = (
    "Choose another folder with out=, or begin anew in this one with again=true, which sets "
    "aside what it holds."
)


def refuse_strangers(folder: Path) -> None:
    """Refuse a folder that holds something else than a run.

    Raises:
        StoreError: there are other files, or the path is no folder.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise StoreError(f"{folder} is a file; a run needs a folder, choose another with out=.")
    if (folder / "manifest.json").exists():
        return
    ours = {"run.lock", "samples", "sealed", "blobs", "config.yaml", PLUGINS, *WORKERS}
    strange = sorted(
        path.name
        for path in folder.iterdir()
        if path.name not in ours
        and not path.name.startswith(".manifest.json.")
        and not is_litter(path)
    )
    if strange:
        raise StoreError(
            f"{folder} holds {strange[0]!r} and no run; choose an empty or new folder with out=."
        )


def manifest_of(plan: Plan) -> Manifest:
    """The manifest of a run that begins, or goes on in its folder.

    Raises:
        StoreError: the folder holds a run of another plan, or samples that no manifest describes.
    """
    if (plan.out / "manifest.json").exists():
        return resumed_manifest(plan, read_manifest(plan.out))
    if any(samples_files(plan.out)):
        raise StoreError(
            f"{plan.out} holds samples and no manifest.json, so that nothing says what made them. "
            f"{AGAIN}"
        )
    return new_manifest(plan)


def resumed_manifest(plan: Plan, stored: Manifest) -> Manifest:
    """The manifest of a run that goes on, or grows to a larger limit.

    Raises:
        StoreError: the folder holds a run of another plan; the message says what differs.
    """
    if not any(samples_files(plan.out)) and different(stored.identity, identity(plan)):
        return new_manifest(plan)  # the folder holds nothing from another plan
    if "versions" not in stored.identity:
        raise StoreError(
            f"{plan.out} holds a run of an older frostbench, which did not keep what code its "
            f"samples were made by, so that none can be added. {AGAIN}"
        )
    differences = different(stored.identity, identity(plan))
    differences += different(*_shared(stored.origins, plan.facts.origins))
    for planned in plan.tasks:
        name = planned.task.card.name
        least = stored.tasks[name].limit if name in stored.tasks else 0
        if planned.limit < least:
            differences.append(f"the limit of {name} was {least} and is now {planned.limit}")
    if differences:
        # A package's new version changes the digest of all code that imports it: list the cause
        # first.
        differences.sort(key=lambda one: (one.startswith("origins."), ".code was" in one))
        shown = "; ".join(differences[:4])
        more = f"; and {len(differences) - 4} more" if len(differences) > 4 else ""
        raise StoreError(
            f"{plan.out} holds a run of another configuration: {shown}{more}. {AGAIN} Only a limit "
            "can grow in place."
        )
    kept = [
        "created",
        "methods",
        "backbones",
        "tokenizer",
        "seconds",
        "violations",
        "notes",
        "memory",
        "visual",
    ]
    kept += ["deaths"]
    fresh = replace(new_manifest(plan), **{name: getattr(stored, name) for name in kept})
    fresh = replace(fresh, machines={**stored.machines, **fresh.machines})
    for name, task in fresh.tasks.items():
        before = stored.tasks[name]
        grown = before.limit != task.limit
        # A control that is new to a complete task still has to be run.
        same = not grown and set(before.controls) >= set(task.controls)
        fresh = fresh.with_task(
            name,
            complete=before.complete and same,
            samples=before.samples,
            corpus=before.corpus,
            grown_from=(*before.grown_from, *([before.limit] if grown else [])),
        )
    return fresh


def take_up(
    plan: Plan, manifest: Manifest, writer: RunWriter, maker: Callable[[Record], str]
) -> tuple[Manifest, list[Record]]:
    """The stored samples; a complete task with missing samples becomes incomplete.

    The manifest's new notes say what was found.

    Raises:
        StoreError: a sample was made by something else than this plan.
    """
    notes = [
        f"{path} is damaged and set aside; its samples are computed again."
        for path in writer.set_damaged_aside()
    ]
    records = writer.records()
    strange = [record for record in records if record.made_by != maker(record)]
    if strange:
        raise StoreError(
            f"{len(strange)} samples in {plan.out} were made by something else than this run, the "
            f"first is {strange[0].sample!r} of task {strange[0].task!r}. {AGAIN}"
        )
    for name, files in missing_files(plan, manifest, records).items():
        manifest = manifest.with_task(name, complete=False)
        notes.append(
            f"task {name!r} was complete, and {', '.join(files)} in sealed/ does not hold all of "
            "its samples any more; what is missing is computed again."
        )
    if len(manifest.machines) > 1:
        notes.append(
            "this run was made on several machines or with several numbers of threads, so that "
            "its seconds cannot be compared."
        )
    new = dict.fromkeys(note for note in notes if note not in manifest.notes)
    return replace(manifest, notes=(*manifest.notes, *new)), records


def without_failed(
    manifest: Manifest, writer: RunWriter, records: list[Record]
) -> tuple[Manifest, list[Record]]:
    """Forget failed samples, so that they are tried again, except those of the guilty."""

    def again(record: Record) -> bool:
        return record.status == "failed" and record.method not in manifest.guilty

    if not writer.drop(again):
        return manifest, records
    begun = manifest
    for name in manifest.tasks:
        begun = begun.with_task(name, complete=False)
    return begun, [record for record in records if not again(record)]


def without_grown(
    plan: Plan, manifest: Manifest, writer: RunWriter, records: list[Record]
) -> list[Record]:
    """Forget chunks that were shorter under a smaller limit: they hold other samples now."""
    gone: set[tuple[str, str | None, str]] = set()
    for planned in plan.tasks:
        name = planned.task.card.name
        task = manifest.tasks[name]
        if task.complete or not task.grown_from:
            continue
        with suppress(DataError):  # the run will meet this error too, and report it
            for chunk in chunks_of(planned, plan.seed, plan.chunk):
                end = chunk.start + len(chunk.names)
                if any(chunk.start < limit < end for limit in task.grown_from):
                    gone |= {(name, chunk.protocol, sample) for sample in chunk.names}

    def old(record: Record) -> bool:
        return (record.task, record.protocol, record.sample) in gone

    if gone:
        writer.drop(old)
    return [record for record in records if not old(record)]


def _shared(
    before: Mapping[str, Mapping[str, Origin]], after: Mapping[str, Mapping[str, Origin]]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The controls that two plans share; a new one may join a run."""
    old, new = before.get("control", {}), after.get("control", {})
    both = sorted(set(old) & set(new))
    one, two = ({"control": {name: asdict(of[name]) for name in both}} for of in (old, new))
    return one, two


def missing_files(
    plan: Plan, manifest: Manifest, records: Iterable[Record]
) -> dict[str, list[str]]:
    """For complete tasks, the sealed files that lack samples, by task."""
    rows = Counter((record.task, record.protocol, *record.row) for record in records)
    gone: dict[str, list[str]] = {}
    for name, entry in manifest.tasks.items():
        lineup = plan.lineups[name]
        if entry.complete:
            gone[name] = [
                sealed_name(name, protocol or None)
                for protocol, count in entry.samples.items()
                if any(rows[name, protocol or None, *row] < count for row in lineup.pairs)
            ]
    return {name: files for name, files in gone.items() if files}
