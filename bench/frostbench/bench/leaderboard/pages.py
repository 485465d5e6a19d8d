"""The HTML pages: an overview, one for each suite and task, and one on what was run.

Each is one file with its style and script inside, and images beside it.
"""

import string
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from frostbench.bench.leaderboard import facts as said
from frostbench.bench.leaderboard.costs import cost_plot_file, costs_of
from frostbench.bench.leaderboard.matrix import Matrix
from frostbench.bench.leaderboard.numbers import readable
from frostbench.bench.leaderboard.parity import TITLE as PARITY_TITLE
from frostbench.bench.leaderboard.parity import cells, compared
from frostbench.bench.leaderboard.plot import for_page, plot_file
from frostbench.bench.leaderboard.preservation import TITLE as PRESERVED_TITLE
from frostbench.bench.leaderboard.preservation import kept_frozen
from frostbench.bench.leaderboard.rows import Leaderboard, Row
from frostbench.bench.leaderboard.shelves import Shelf
from frostbench.bench.leaderboard.swap import TITLE as SWAP_TITLE
from frostbench.bench.leaderboard.swap import swaps
from frostbench.bench.leaderboard.tables import Section, Table
from frostbench.bench.leaderboard.templating import environment
from frostbench.bench.leaderboard.whiskers import whisker

TITLE = "frostbench leaderboard"
MANY = 12  # methods; with more, they are the rows of the matrix


def pages(
    leaderboard: Leaderboard,
    shelves: Sequence[Shelf],
    files: Mapping[str, str],
    parts: Sequence[Section],
    found: Matrix,
    figures: Mapping[tuple[str, str], str],
    title: str = TITLE,
) -> Iterator[tuple[str, str]]:
    """Each page's name and its HTML.

    `files` gives the address of each image, by its hash, relative to the pages; `parts` and `found`
    are the leaderboard's sections and its matrix, `figures` the sections' plots ("") and curves
    ("-curves") by suite and kind, where there are any.
    """
    made = environment()
    made.globals |= _shared(leaderboard, parts, title)

    def rendered(template: str, here: tuple[str, str], heading: str, **values: Any) -> str:
        return made.get_template(template).render(here=here, heading=heading, **values)

    first = _first(leaderboard, found)
    yield "index.html", rendered("index.html.j2", ("index", ""), title, **first)
    for part in parts:
        here, heading = ("suite", part.suite), readable(part.suite).capitalize()
        drawn = {
            name: _drawn(figures.get((part.suite, kind)))
            for name, kind in (("plot", ""), ("curve", "-curves"))
        }
        name = page_file("suite", part.suite)
        yield name, rendered("suite.html.j2", here, heading, section=part, **drawn)
        for table in part.tables:
            task = table.task.name
            mine = [shelf for shelf in shelves if shelf.task == task]
            shown = {"table": table, "shelves": mine, "files": files}
            heading = readable(task).capitalize()
            yield page_file("task", task), rendered("task.html.j2", here, heading, **shown)
    told = rendered("about.html.j2", ("about", ""), "What was run", **_about(leaderboard))
    yield "about.html", told


def page_file(kind: str, name: str) -> str:
    """The name of a suite's or task's page, which may be called anything.

    >>> page_file("task", "../x"), page_file("suite", "restoration")
    ('task-..%2Fx.html', 'suite-restoration.html')
    """
    return plot_file(name).removesuffix(".svg").join((f"{kind}-", ".html"))


def _shared(leaderboard: Leaderboard, parts: Sequence[Section], title: str) -> Mapping[str, Any]:
    """The data that all pages share."""
    return {
        "title": title,
        "sections": parts,
        "facts": [said.facts(n, m) for n, m in enumerate(leaderboard.manifests, start=1)],
        "page_file": page_file,
        "plot_file": plot_file,
        "level": f"{leaderboard.inference.level:.0%}".replace("%", " %"),
        "whisker": whisker,
        "footnotes": footnotes,
        "has_energy": any(row.cost and row.cost.joules is not None for row in leaderboard.rows),
    }


def _first(leaderboard: Leaderboard, found: Matrix) -> Mapping[str, Any]:
    """The data of the overview."""
    scored = [row for row in leaderboard.rows if row.kind == "measured"]
    return {
        "matrix": found,
        "costs": costs_of(found, leaderboard.manifests),
        "transposed": len(found.contenders) > MANY,
        "plots": [f"plots/{cost_plot_file(number)}" for number in range(len(found.places))],
        "tally": _tally(leaderboard, scored),
        "estimators": leaderboard.estimators,
    }


def _about(leaderboard: Leaderboard) -> Mapping[str, Any]:
    """The data of the page on what was run."""
    return {
        "swaps": swaps(leaderboard),
        "swap_title": SWAP_TITLE,
        "preserved": leaderboard.preserved,
        "preserved_title": PRESERVED_TITLE,
        "frozen": kept_frozen(leaderboard.preserved, leaderboard.manifests),
        "reported": [row for row in leaderboard.rows if row.kind == "reported"],
        "compared": [cells(one) for one in compared(leaderboard)],
        "compared_title": PARITY_TITLE,
        "backbones": [said.backbones(manifest) for manifest in leaderboard.manifests],
        "manifests": leaderboard.manifests,
    }


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
