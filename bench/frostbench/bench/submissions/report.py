"""A report in Markdown on newly handed-in results, beside the best that are there."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from frostbench.bench.leaderboard import build
from frostbench.bench.leaderboard.numbers import format_of
from frostbench.bench.leaderboard.rows import Row
from frostbench.bench.printable import brief
from frostbench.bench.store.atomic import StoreError
from frostbench.bench.store.reader import StoredRun
from frostbench.bench.store.sealed import digest_of
from frostbench.bench.submissions.accept import Finding
from frostbench.bench.submissions.places import RESULTS, open_submission, submissions_of


def changed_since(repository: Path, base: Path) -> list[Path]:
    """The submissions that an earlier state of the repository lacks or has in another form.

    Raises:
        StoreError: one of them is no repository of results.
    """
    before = {path.relative_to(base): _digests(path) for path in submissions_of(base)}
    return [
        path
        for path in submissions_of(repository)
        if before.get(path.relative_to(repository)) != _digests(path)
    ]


def report(repository: Path, findings: Sequence[Finding], new: Collection[Path]) -> str:
    """The findings, and the new rows beside the best of the others."""
    return "\n".join(_lines(repository, findings, new)) + "\n"


def _lines(repository: Path, findings: Sequence[Finding], new: Collection[Path]) -> Iterator[str]:
    yield "# What was handed in"
    for finding in findings:
        yield ""
        yield f"## {_shown(str(finding.folder.relative_to(repository / RESULTS)))}"
        yield ""
        for sentence in finding.problems:
            yield f"- **does not hold:** {_shown(sentence)}"
        for sentence in finding.notes:
            yield f"- {_shown(sentence)}"
        if not finding.problems:
            counts = [
                list(finding.rows.values()).count(how) for how in sorted({*finding.rows.values()})
            ]
            said = zip(sorted({*finding.rows.values()}), counts, strict=True)
            yield "- " + ", ".join(f"{count} tables {how}" for how, count in said)
    good = {one.folder for one in findings if not one.problems and one.folder in new}
    if good:
        yield from _beside(repository, good)


def _beside(repository: Path, new: Collection[Path]) -> Iterator[str]:
    runs, folders = [], []
    for folder in submissions_of(repository):
        try:
            runs.append(open_submission(folder))
            folders.append(folder)
        except StoreError:
            continue  # reported above where it is new; older problems do not block a new one
    board = build(runs)
    ranked = [row for row in board.rows if row.rank is not None and row.kind == "measured"]
    yield ""
    yield "## Beside what stands here"
    yield ""
    yield "| method | task | metric | value | rank | of | best of the others | checked |"
    yield "|---|---|---|---:|---:|---:|---|---|"
    for row in ranked:
        if row.run is not None and folders[row.run - 1] in new:
            among = [one for one in ranked if _arena(one) == _arena(row)]
            yield "| " + " | ".join(map(_shown, _cells(row, among, runs))) + " |"


def _cells(row: Row, among: Sequence[Row], runs: Sequence[StoredRun]) -> Iterator[str]:
    metric = runs[(row.run or 1) - 1].manifest.metrics[row.metric]
    form = format_of(metric, [one.value for one in among if one.value is not None])
    yield row.method
    yield row.task + (f", {row.protocol}" if row.protocol else "")
    yield row.metric
    interval = (
        "" if row.low is None or row.high is None else f" [{form(row.low)}, {form(row.high)}]"
    )
    yield "" if row.value is None else f"{form.with_unit(row.value)}{interval}"
    yield str(row.rank)
    yield str(len(among))
    others = [one for one in among if one is not row and one.value is not None]
    turn = 1 if metric.higher_is_better else -1
    best = max(others, key=lambda one: turn * (one.value or 0.0), default=None)
    yield "" if best is None else f"{best.method}: {form.with_unit(best.value)}"
    yield row.checked or ""


def _arena(row: Row) -> tuple[object, ...]:
    return row.task, row.protocol, row.metric, row.identity, row.llm


def _digests(folder: Path) -> dict[str, str]:
    return {path.name: digest_of(path) for path in folder.glob("sealed/*.parquet")}


def _shown(text: str) -> str:
    """A stranger's text as a table cell or a line of Markdown."""
    escaped = brief(text, 400).replace("\\", "\\\\").replace("|", "\\|").replace("`", "\\`")
    return escaped.replace("<", "&lt;").replace("[", "\\[").replace("*", "\\*")
