"""Checks handed-in results: files, metadata, and every score computed again."""

import json
import math
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from frostbench.bench.exchange.names import folder_name
from frostbench.bench.leaderboard.identity import row_identity
from frostbench.bench.runner.rescore import Rescored
from frostbench.bench.runner.verify import Verified
from frostbench.bench.store.atomic import StoreError, write_json
from frostbench.bench.store.manifest import Manifest, MetricEntry
from frostbench.bench.store.reader import StoredRun
from frostbench.bench.store.sealed import DIGEST, digest_of, read_sealed, sealed_name
from frostbench.bench.store.submitted import (
    ACCEPTED,
    AGAIN,
    NOT_AGAIN,
    REPLAYED,
    SUBMISSION,
    Acceptance,
    Submission,
    read_submission,
)
from frostbench.bench.submissions.places import open_submission, submissions_of, version_of
from frostbench.bench.submissions.submit import corpora, rows_files

TOLERANCE = 1e-4  # relative to the larger of 1 and a score: processors differ in the last bits


@dataclass(frozen=True)
class Tools:
    """The tools for scoring again, assembled by the command line.

    Attributes:
        metrics: this bench's facts about its metrics, by their ids, with the pack of a run.
        score: scores a run's folder again.
        replay: computes samples of a run's folder again; None where this was not asked for.
    """

    metrics: Callable[[StoredRun], Mapping[str, MetricEntry]]
    score: Callable[[Path], Rescored]
    replay: Callable[[Path, int], Verified] | None = None
    share: float = 0.0


@dataclass
class Finding:
    """The findings about one submission.

    Attributes:
        problems: sentences on what does not hold; with any, it is not accepted.
        notes: sentences on what could not be checked.
        rows: which checks each sealed file passed.
    """

    folder: Path
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rows: dict[str, str] = field(default_factory=dict)


def accept(
    repository: Path,
    tools: Tools,
    only: Collection[Path] = (),
    said: Callable[[str], None] = lambda sentence: None,
) -> list[Finding]:
    """Check all submissions, or `only` some, and store the findings beside each.

    Raises:
        StoreError: it is no repository of results.
    """
    folders = submissions_of(repository)
    findings = []
    for folder in folders:
        if only and folder not in only:
            continue
        said(f"{folder.relative_to(repository)}")
        finding = Finding(folder)
        try:
            _look(finding, tools)
        except (StoreError, LookupError, ValueError) as error:
            finding.problems.append(str(error.args[0]))
        findings.append(finding)
    _doubled(repository, folders, findings)
    for finding in findings:
        (finding.folder / ACCEPTED).unlink(missing_ok=True)
        if not finding.problems:
            seals = {name: digest_of(finding.folder / "sealed" / name) for name in finding.rows}
            told = Acceptance(version("frostbench"), seals, finding.rows)
            write_json(finding.folder / ACCEPTED, told.to_json())
    return findings


def _look(finding: Finding, tools: Tools) -> None:
    folder, problems = finding.folder, finding.problems
    problems += _strangers(folder)
    told = read_submission(folder)
    if told is None:
        raise StoreError(f"{folder} lacks {SUBMISSION}, which says who hands it in.")
    run = open_submission(folder)
    problems += _metadata(folder, told, run.manifest)
    problems += _metrics(run.manifest, tools.metrics(run))
    problems += _samples(run, told.method)
    if problems:
        return
    missing = _missing(run)
    if not missing:
        problems += _scores(run, tools, finding)
    problems += _tables(run)
    for name in run.manifest.seals:
        finding.rows[name] = NOT_AGAIN if missing else finding.rows.get(name, AGAIN)
    if missing:
        finding.notes.append(
            f"{len(missing)} outputs are not in the repository, the first is {missing[0]}: "
            "its scores could not be computed again."
        )


def _strangers(folder: Path) -> Iterator[str]:
    """Files that do not belong into a submission."""
    for path in sorted(folder.rglob("*")):
        within = path.relative_to(folder).as_posix()
        if path.is_symlink():
            yield f"{within} is a link; a submission holds files."
        elif path.is_dir():
            if within != "sealed":
                yield f"{within} is a folder that no submission has."
        elif within.startswith("sealed/"):
            if path.suffix not in (".parquet", DIGEST):
                yield f"{within} is no sealed file."
        elif path.suffix != ".json":
            yield f"{within} belongs to no submission."


def _metadata(folder: Path, told: Submission, manifest: Manifest) -> Iterator[str]:
    """Facts that the manifest lacks or has wrong."""
    if list(manifest.methods) != [told.method]:
        yield f"the manifest is of {', '.join(manifest.methods) or 'no method'}, not {told.method}."
        return
    entry = manifest.methods[told.method]
    named = folder_name(told.method), folder_name(version_of(entry))
    if (folder.parent.name, folder.name) != named:
        yield f"it lies in {folder.parent.name}/{folder.name} and belongs into {'/'.join(named)}."
    if (told.identity, told.version) != (entry.identity, version_of(entry)):
        yield "version and identity are not those of the manifest."
    wanted = {
        "who hands it in": told.by,
        "a title of the method": entry.title,
        "the method's identity": entry.identity,
        "the pack's digest": manifest.pack.sha256,
        "versions of the software": manifest.versions,
        "the plugins of its parts": manifest.origins,
    }
    for what, value in wanted.items():
        if not value:
            yield f"{what} is missing."
    if manifest.status != "finished" or manifest.imported:
        yield f"the run is {manifest.imported or manifest.status}, and no finished one."
    for sentence in (*manifest.violations, *filter(None, [entry.violation])):
        yield f"a frozen model was changed: {sentence}"
    for role, facts in manifest.backbones.items():
        if facts.sha256_after not in (None, facts.sha256_before):
            yield f"backbone {role!r} has another checksum after the run than before it."


def _metrics(manifest: Manifest, known: Mapping[str, MetricEntry]) -> Iterator[str]:
    """Metrics that this bench does not know, or knows otherwise."""
    for name, entry in manifest.metrics.items():
        if name != entry.id:
            yield f"metric {name!r} calls itself {entry.id!r}."
        elif name not in known:
            yield f"metric {name!r} is none of this bench's; give its plugin with plugins=FILE.py."
        elif known[name] != entry:
            yield f"metric {name!r} is described in another way than this bench's."


def _samples(run: StoredRun, method: str) -> Iterator[str]:
    """Samples that are missing, doubled, of another method, or not as the manifest says."""
    manifest, sealed = run.manifest, run.folder / "sealed"
    there = {path.name for path in sealed.glob("*.parquet")}
    for name in sorted(there ^ set(manifest.seals)):
        yield f"sealed/{name} is {'not in the manifest' if name in there else 'missing'}."
    ways = {
        sealed_name(task.name, protocol): (task, protocol)
        for task in manifest.tasks.values()
        for protocol in task.ways
    }
    for name in sorted(there & set(manifest.seals)):
        if name not in ways:
            yield f"sealed/{name} is of no task of the manifest."
            continue
        if digest_of(sealed / name) != manifest.seals[name]:
            yield f"sealed/{name} is not the file that the manifest names."
            continue
        task, protocol = ways[name]
        records = read_sealed(sealed / name)
        seen: set[object] = set()
        rows: dict[object, int] = defaultdict(int)
        for record in records:
            if (record.task, record.protocol) != (task.name, protocol):
                yield f"sealed/{name} holds a sample of {record.task!r}."
                break
            if record.method not in (method, None):
                yield f"sealed/{name} holds a sample of {record.method!r}."
                break
            if record.key in seen:
                yield f"sealed/{name} holds sample {record.sample!r} of one row twice."
                break
            seen.add(record.key)
            rows[record.row] += 1
        wanted = task.samples.get(protocol or "")
        if wanted is not None and rows.get((method, None)) != wanted:
            count = rows.get((method, None), 0)
            yield f"sealed/{name} holds {count} samples of {method!r}, and {wanted} were asked."


def _missing(run: StoredRun) -> list[str]:
    """Outputs and targets that are missing, or do not match their hashes."""
    names = dict.fromkeys(
        name
        for record in run.records()
        for name in (record.prediction.blob, record.target.blob)
        if name is not None
    )
    return [name for name in (*corpora(run.manifest), *names) if not run.blobs.intact(name)]


def _scores(run: StoredRun, tools: Tools, finding: Finding) -> Iterator[str]:
    """Scores that the outputs do not give, and replayed samples that differ."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "run"
        _copied(run, copy)
        found = tools.score(copy)
        for metric in found.missing:
            yield f"metric {metric!r} could not be computed."
        yield from (*found.failed, *found.damaged)
        for metric, (count, most) in found.changed.items():
            if metric not in found.missing and count and most > TOLERANCE:
                yield (
                    f"its scores under {metric!r} are not what its outputs give: {count} differ, "
                    f"by up to {most:.3g}."
                )
            elif metric not in found.missing and count and not most:
                yield f"its scores under {metric!r} are not all of its outputs: {count} are new."
        if tools.replay is None:
            return
        shutil.rmtree(copy)
        _copied(run, copy)
        count = max(1, round(tools.share * len(run.records())))
        try:
            verified = tools.replay(copy, count)
        except (StoreError, LookupError, ValueError) as error:
            finding.notes.append(f"nothing was replayed: {error.args[0]}")
            return
        for check in verified.checks:
            if not check.holds:
                yield f"replayed, it does not hold: {check.name}: {check.detail}"
        finding.rows.update(dict.fromkeys(run.manifest.seals, REPLAYED))


def _copied(run: StoredRun, copy: Path) -> None:
    """The submission as the folder of a run of its own."""
    copy.mkdir()
    shutil.copytree(run.folder / "sealed", copy / "sealed")
    shutil.copy2(run.folder / "manifest.json", copy / "manifest.json")
    names = (name for record in run.records() for name in record.blobs)
    for name in dict.fromkeys((*corpora(run.manifest), *names)):
        # The files that scores need were found; an image to look at may be missing.
        with suppress(LookupError):
            source = run.blobs.path(name)
            target = copy / "blobs" / name[:2] / source.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def _tables(run: StoredRun) -> Iterator[str]:
    """Files for people that do not agree with the samples."""
    for name, content in rows_files(run).items():
        path = run.folder / name
        if not path.is_file():
            yield f"{name} is missing."
        elif not _alike(json.loads(path.read_bytes()), json.loads(json.dumps(content))):
            yield f"{name} says something else than the samples beside it give."


def _alike(one: Any, two: Any) -> bool:
    """Whether two trees of plain values are equal, up to the last digits of numbers."""
    if isinstance(one, float) and isinstance(two, float):
        return math.isclose(one, two, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(_alike(one[key], two[key]) for key in one)
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(_alike, one, two))
    return bool(one == two)


def _doubled(repository: Path, folders: Sequence[Path], findings: Sequence[Finding]) -> None:
    """The same method's rows under the same task, settings, data and seed, handed in twice."""
    by_rows: dict[object, list[Path]] = defaultdict(list)
    for folder in folders:
        try:
            manifest = open_submission(folder).manifest
            for task in manifest.tasks.values():
                metric = manifest.metrics[task.ranks_by]
                llm = manifest.backbones.get("llm")
                for method, entry in manifest.methods.items():
                    rows = row_identity(manifest, task, metric)
                    key = method, entry.identity, task.name, rows, llm and llm.sha256_before
                    by_rows[key].append(folder)
        except (StoreError, LookupError):
            continue  # reported where it was checked
    told = {finding.folder: finding for finding in findings}
    for same in by_rows.values():
        for folder in same[1:]:
            if folder in told:
                other = same[0].relative_to(repository)
                told[folder].problems.append(f"the same rows stand in {other} already.")
