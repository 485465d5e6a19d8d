"""Writing a leaderboard's folder: data, tables, page, images and plots."""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from frostbench.bench.leaderboard.curves import curves
from frostbench.bench.leaderboard.gallery import Shelf, gallery, images
from frostbench.bench.leaderboard.markdown import markdown
from frostbench.bench.leaderboard.page import TITLE, page
from frostbench.bench.leaderboard.plot import for_paper, plot
from frostbench.bench.leaderboard.rows import Leaderboard, Row
from frostbench.bench.leaderboard.tables import sections
from frostbench.bench.store.reader import StoredRun

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
)


def write(
    leaderboard: Leaderboard, runs: Sequence[StoredRun], folder: Path, title: str = TITLE
) -> None:
    """Write `leaderboard.json`, `.md`, `.csv`, `index.html`, `images/` and `plots/`.

    `runs` are those that the leaderboard was built from; the gallery's images are copied from
    them. Everything in the folder opens from disk, without a network.

    Raises:
        ValueError: there are more or fewer runs than the leaderboard was built from.
        OSError: the folder cannot be written.
    """
    if len(runs) != len(leaderboard.manifests):
        raise ValueError(
            f"the leaderboard was built from {len(leaderboard.manifests)} run(s) and is to be "
            f"written with {len(runs)}; give the same runs."
        )
    folder.mkdir(parents=True, exist_ok=True)
    shelves = gallery(runs)
    files = _copy_images(shelves, runs, folder / "pictures")
    _write_plots(leaderboard, folder / "plots")
    (folder / "index.html").write_text(page(leaderboard, shelves, files, title), encoding="utf-8")
    (folder / "leaderboard.md").write_text(markdown(leaderboard, title), encoding="utf-8")
    (folder / "leaderboard.csv").write_text(table(leaderboard.rows), encoding="utf-8")
    text = json.dumps(leaderboard.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
    (folder / "leaderboard.json").write_text(text + "\n", encoding="utf-8")


def table(rows: Sequence[Row]) -> str:
    """All rows as CSV, one a line, with empty cells for None."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, FLAT, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_flat(row) for row in rows)
    return buffer.getvalue()


def _flat(row: Row) -> Mapping[str, Any]:
    values = {name: getattr(row, name) for name in FLAT if hasattr(row, name)}
    if row.rank:
        values |= {"rank_low": row.rank.low, "rank_high": row.rank.high}
    if row.cost:
        values |= vars(row.cost)
    return values


def _copy_images(
    shelves: Sequence[Shelf], runs: Sequence[StoredRun], folder: Path
) -> dict[str, str]:
    """Copy the gallery's images; the address of each, by hash."""
    folder.mkdir(exist_ok=True)
    files: dict[str, str] = {}
    for number, run in enumerate(runs, start=1):
        for name in sorted(images(shelves, number, len(runs) > 1)):
            source = run.blob(name)
            short = name[:20] + source.suffix
            (folder / short).write_bytes(run.blobs.content(name))
            files[name] = f"{folder.name}/{short}"
    for path in folder.iterdir():
        ours = OWN_NAME.fullmatch(path.name)
        if ours and f"{folder.name}/{path.name}" not in files.values():
            path.unlink()  # of an older leaderboard
    return files


def _write_plots(leaderboard: Leaderboard, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for section in sections(leaderboard):
        for name, drawn in (("", plot(section)), ("-curves", curves(section))):
            if drawn is not None:
                file = folder / f"{section.suite}{name}.svg"
                file.write_text(for_paper(drawn), encoding="utf-8")
