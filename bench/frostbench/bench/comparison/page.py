"""The comparison as one HTML file, with its style and images inside."""

from jinja2 import PackageLoader
from markupsafe import Markup

from frostbench.bench.comparison.build import RunComparison
from frostbench.bench.comparison.contrast import Contrast
from frostbench.bench.comparison.exhibits import Exhibition, cases
from frostbench.bench.comparison.sentences import (
    MARKS,
    MEANINGS,
    difference_cells,
    drift,
    spent,
    verdict,
)
from frostbench.bench.comparison.sources import gathered
from frostbench.bench.leaderboard.facts import facts
from frostbench.bench.leaderboard.inline import data_uri
from frostbench.bench.leaderboard.markdown import arrow
from frostbench.bench.leaderboard.templating import environment
from frostbench.bench.statistics import estimators

WIDTH, HEIGHT = 150, 18  # of an interval's bar
MOST_ROWS = 40  # of a subject; more are in the data


def page(comparison: RunComparison) -> str:
    """The page as HTML."""
    shown = list(cases(comparison))
    return (
        environment(PackageLoader(__package__, "templates"))
        .get_template("comparison.html.j2")
        .render(
            comparison=comparison,
            facts=[facts(n, run.manifest) for n, run in enumerate(comparison.runs, start=1)],
            gathered=lambda subject: list(gathered(subject)),
            most=MOST_ROWS,
            verdict=verdict(comparison),
            drift=drift(comparison),
            moved=[one for one in comparison.contrasts if one.outcome not in ("same", "apart")],
            same=[one for one in comparison.contrasts if one.outcome == "same"],
            apart=[one for one in comparison.contrasts if one.outcome == "apart"],
            cells=difference_cells,
            bar=lambda one: _bar(one, comparison),
            arrow=arrow,
            marks=MARKS,
            meanings=MEANINGS,
            spent=list(spent(comparison)),
            cases=shown,
            files=_files(shown, comparison),
            estimators=estimators(comparison.inference),
        )
    )


def _files(shown: list[Exhibition], comparison: RunComparison) -> dict[str, str]:
    """The images of all samples that are shown, as addresses that hold them."""
    found: dict[str, str] = {}
    for case in shown:
        for exhibit in case.exhibits:
            first, second = comparison.runs
            sides = [(tile, first) for tile in exhibit.given]
            sides += [
                (side.tile, run)
                for side, run in zip(exhibit.sides, (first, second), strict=True)
                if side.tile
            ]
            for tile, run in sides:
                if tile.picture and tile.picture not in found:
                    found[tile.picture] = data_uri(run.image(tile.picture))
    return found


def _bar(one: Contrast, comparison: RunComparison) -> Markup:
    """A difference with its interval around 0; rows of a metric share the scale."""
    apart = one.test.difference if one.test else None
    if apart is None:
        return Markup("")
    reach = max(map(_reach, (x for x in comparison.contrasts if x.metric.id == one.metric.id)))
    middle = WIDTH / 2

    def x(value: float) -> float:
        return round(middle + value / reach * (middle - 6), 1) if reach else middle

    interval = (
        Markup('<path class="reach" d="M{} 9H{}M{} 5.5V12.5M{} 5.5V12.5"/>').format(
            x(apart.low), x(apart.high), x(apart.low), x(apart.high)
        )
        if apart.low is not None and apart.high is not None
        else Markup("")
    )
    return Markup(
        '<svg class="bar {}" viewBox="0 0 {} {}" width="{}" height="{}" aria-hidden="true">'
        '<line class="zero" x1="{}" x2="{}" y1="0" y2="{}"/>{}'
        '<circle cx="{}" cy="9" r="3.4"/></svg>'
    ).format(
        one.outcome, WIDTH, HEIGHT, WIDTH, HEIGHT, middle, middle, HEIGHT, interval, x(apart.value)
    )


def _reach(one: Contrast) -> float:
    apart = one.test.difference if one.test else None
    ends = (apart.value, apart.low or 0.0, apart.high or 0.0) if apart else (0.0,)
    return max(map(abs, ends))
