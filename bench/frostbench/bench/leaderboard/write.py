"""Writes a leaderboard's folder: data, tables, pages, images and plots."""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from frostbench.bench.leaderboard.costs import cost_plot, cost_plot_file
from frostbench.bench.leaderboard.curves import curves
from frostbench.bench.leaderboard.gallery import gallery, images
from frostbench.bench.leaderboard.markdown import markdown
from frostbench.bench.leaderboard.matrix import Matrix, matrix
from frostbench.bench.leaderboard.pages import TITLE, pages
from frostbench.bench.leaderboard.plot import for_paper, plot, plot_file
from frostbench.bench.leaderboard.rows import Leaderboard, Row
from frostbench.bench.leaderboard.shelves import Shelf
from frostbench.bench.leaderboard.tables import Section, sections
from frostbench.bench.store.atomic import replacing
from frostbench.bench.store.reader import StoredRun

BOARD = "leaderboard.json"
PAGES = {"index.html", "about.html", "leaderboard.md", "leaderboard.csv", BOARD}
OWN_PAGE = re.compile(r"(suite|task)-[^/]+\.html")
FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
OWN_NAME = re.compile(r"[0-9a-f]{20}\.\w+")

FLAT = (
    "kind",
    "method",
    "suite",
    "task",
    "protocol",
    "metric",
    "value",
    "low",
    "high",
    "interval",
    "rank_low",
    "rank_high",
    "best",
    "samples",
    "failed",
    "seconds",
    "prompt_tokens",
    "generated_tokens",
    "peak_bytes",
    "joules",
    "reason",
    "control",
    "of",
    "run",
    "identity",
    "setting",
    "source",
    "verified",
    "llm",
    "adapter",
    "checked",
)


def write(
    leaderboard: Leaderboard, runs: Sequence[StoredRun], folder: Path, title: str = TITLE
) -> None:
    """Write `leaderboard.json`, `.md`, `.csv`, the pages, `pictures/` and `plots/`.

    `runs` are those that the leaderboard was built from; the gallery's images are copied from
    them. Everything in the folder opens from disk, without a network. The folder holds the old
    leaderboard or the new one, never a part; other files in it stay.

    Raises:
        ValueError: there are more or fewer runs than the leaderboard was built from.
        StoreError: the folder holds something else than a leaderboard, or cannot be written.
    """
    if len(runs) != len(leaderboard.manifests):
        raise ValueError(
            f"the leaderboard was built from {len(leaderboard.manifests)} run(s) and is to be "
            f"written with {len(runs)}; give the same runs."
        )
    with replacing(folder, BOARD, _is_ours) as made:
        shelves = gallery(runs)
        files = _copy_images(shelves, runs, made / "pictures")
        parts = sections(leaderboard)
        found, figures = matrix(leaderboard, parts), figures_of(parts)
        _write_plots(leaderboard, found, figures, made / "plots")
        text = json.dumps(leaderboard.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
        for name, content in (
            *pages(leaderboard, shelves, files, parts, found, figures, title),
            ("leaderboard.md", markdown(leaderboard, title)),
            ("leaderboard.csv", table(leaderboard.rows)),
            (BOARD, text + "\n"),
        ):
            # A lone half of a letter is in no encoding.
            (made / name).write_text(content, encoding="utf-8", errors="backslashreplace")


def table(rows: Sequence[Row]) -> str:
    """All rows as CSV, one a line, with empty cells for None."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, FLAT, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _no_formula(value) for name, value in flat(row).items()})
    return buffer.getvalue()


def flat(row: Row) -> Mapping[str, Any]:
    """A row without trees in it, under the names of the columns."""
    ranks = {"rank_low": row.rank.low, "rank_high": row.rank.high} if row.rank else {}
    spent = asdict(row.cost) if row.cost else {}
    every = {**{name: getattr(row, name, None) for name in FLAT}, **ranks, **spent}
    return {name: every[name] for name in FLAT}


def _no_formula(value: Any) -> Any:
    """A cell that spreadsheets read as text, if it is text; numbers stay numbers.

    >>> _no_formula("=1+1"), _no_formula(-1.5)
    ("'=1+1", -1.5)
    """
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value) else value


def _is_ours(path: Path) -> bool:
    """Whether a file in an older leaderboard, given by its path there, was made by frostbench."""
    folder = path.parent.as_posix()
    return (
        path.as_posix() in PAGES
        or bool(OWN_PAGE.fullmatch(path.as_posix()))
        or (folder == "pictures" and bool(OWN_NAME.fullmatch(path.name)))
        or (folder == "plots" and path.suffix == ".svg")
    )


def _copy_images(
    shelves: Sequence[Shelf], runs: Sequence[StoredRun], folder: Path
) -> dict[str, str]:
    """Copy the gallery's images; the address of each, by hash."""
    folder.mkdir(exist_ok=True)
    files: dict[str, str] = {}
    for number, run in enumerate(runs, start=1):
        for name in sorted(images(shelves, number, len(runs) > 1)):
            run.image(name)  # so that only images go where a browser opens them
            source = run.blob(name)
            short = name[:20] + source.suffix
            (folder / short).write_bytes(source.read_bytes())
            files[name] = f"{folder.name}/{short}"
    return files


def figures_of(parts: Sequence[Section]) -> dict[tuple[str, str], str]:
    """The plots ("") and curves ("-curves") of sections, by suite and kind, where there are any."""
    drawn = {
        (part.suite, kind): draw(part)
        for part in parts
        for kind, draw in (("", plot), ("-curves", curves))
    }
    return {which: figure for which, figure in drawn.items() if figure is not None}


def _write_plots(
    leaderboard: Leaderboard,
    found: Matrix,
    figures: Mapping[tuple[str, str], str],
    folder: Path,
) -> None:
    folder.mkdir(exist_ok=True)
    drawn = {plot_file(*which): for_paper(figure) for which, figure in figures.items()}
    for number in range(len(found.places)):
        figure = cost_plot(found, number, leaderboard.manifests)
        if figure is not None:
            drawn[cost_plot_file(number)] = figure
    for name, figure in drawn.items():
        (folder / name).write_text(figure, encoding="utf-8", errors="backslashreplace")
