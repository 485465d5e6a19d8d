"""The static page: one file with its style and script inside, and images beside it."""

import string
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from frostbench.bench.leaderboard import facts as said
from frostbench.bench.leaderboard.curves import curves
from frostbench.bench.leaderboard.gallery import Shelf
from frostbench.bench.leaderboard.parity import TITLE as PARITY_TITLE
from frostbench.bench.leaderboard.parity import cells, compared
from frostbench.bench.leaderboard.plot import for_page, plot, plot_file
from frostbench.bench.leaderboard.preservation import TITLE as PRESERVED_TITLE
from frostbench.bench.leaderboard.preservation import kept_frozen
from frostbench.bench.leaderboard.rows import Leaderboard, Row
from frostbench.bench.leaderboard.swap import TITLE as SWAP_TITLE
from frostbench.bench.leaderboard.swap import swaps
from frostbench.bench.leaderboard.tables import Table, sections
from frostbench.bench.leaderboard.templating import environment
from frostbench.bench.leaderboard.whiskers import whisker
from frostbench.bench.statistics import estimators

TITLE = "frostbench leaderboard"


def page(
    leaderboard: Leaderboard,
    shelves: Sequence[Shelf],
    files: Mapping[str, str],
    title: str = TITLE,
) -> str:
    """The page as HTML.

    `files` gives the address of each image, by its hash, relative to the page.
    """
    parts = sections(leaderboard)
    swapped = swaps(leaderboard)
    scored = [row for row in leaderboard.rows if row.kind == "measured"]
    return (
        environment()
        .get_template("index.html.j2")
        .render(
            title=title,
            sections=parts,
            plots={part.suite: _drawn(plot(part)) for part in parts},
            curves={part.suite: _drawn(curves(part)) for part in parts},
            swaps=swapped,
            swap_title=SWAP_TITLE,
            preserved=leaderboard.preserved,
            preserved_title=PRESERVED_TITLE,
            frozen=kept_frozen(leaderboard.preserved, leaderboard.manifests),
            reported=[row for row in leaderboard.rows if row.kind == "reported"],
            compared=[cells(one) for one in compared(leaderboard)],
            compared_title=PARITY_TITLE,
            shelves=shelves,
            plot_file=plot_file,
            files=files,
            facts=[said.facts(n, m) for n, m in enumerate(leaderboard.manifests, start=1)],
            backbones=[said.backbones(manifest) for manifest in leaderboard.manifests],
            manifests=leaderboard.manifests,
            tally=_tally(leaderboard, scored),
            level=f"{leaderboard.inference.level:.0%}".replace("%", " %"),
            estimators=estimators(leaderboard.inference),
            whisker=whisker,
            footnotes=footnotes,
            has_energy=any(row.cost and row.cost.joules is not None for row in leaderboard.rows),
        )
    )


def footnotes(table: Table) -> dict[str, str]:
    """A letter for each reason why a table shows a dash."""
    rows: list[Row] = [
        row
        for group in table.groups
        for line in (*group.methods, *group.controls)
        for row in (line.row, *line.others)
        if row is not None
    ]
    reasons = dict.fromkeys(row.reason for row in rows if row.reason)
    letters = [*string.ascii_lowercase, *(f"a{letter}" for letter in string.ascii_lowercase)]
    return {reason: letter for reason, letter in zip(reasons, letters, strict=False) if reason}


def _drawn(drawn: str | None) -> Markup | None:
    return None if drawn is None else Markup(for_page(drawn))  # our own SVG


def _tally(leaderboard: Leaderboard, rows: Sequence[Row]) -> Mapping[str, Any]:
    """How much was measured: methods, tasks, and the samples of the ranking metrics."""
    answered = {(row.run, row.method, row.task, row.protocol): row.samples or 0 for row in rows}
    return {
        "methods": sorted({row.method for row in rows}),
        "tasks": len({row.task for row in rows}),
        "samples": sum(answered.values()),
        "seconds": sum(manifest.seconds for manifest in leaderboard.manifests),
    }
