"""The page of `frostbench watch`, which reloads itself."""

from jinja2 import PackageLoader
from markupsafe import Markup

from frostbench.bench.leaderboard.templating import environment
from frostbench.bench.watching.sentences import (
    ROW_HEADS,
    WORKER_HEADS,
    row_cells,
    summary,
    told,
    worker_cells,
)
from frostbench.bench.watching.standing import RowStanding, RunStanding

WIDTH, HEIGHT = 160, 34
TREND = "how it narrowed"


def page(run: RunStanding, again: float | None) -> str:
    """The page as HTML; it loads itself `again` after so many seconds, None for never."""
    return (
        environment(PackageLoader(__package__, "templates"))
        .get_template("watch.html.j2")
        .render(
            run=run,
            again=None if again is None else max(1, round(again)),
            summary=summary(run),
            told=list(told(run)),
            row_heads=(*ROW_HEADS[:2], TREND, *ROW_HEADS[2:-1]),
            worker_heads=WORKER_HEADS,
            row_cells=row_cells,
            worker_cells=worker_cells,
            band=band,
        )
    )


def band(row: RowStanding) -> Markup:
    """The row's interval over its samples, as a band around the value; empty for one point."""
    if len(row.trail) < 2:
        return Markup("")
    first, last = row.trail[0].samples, row.trail[-1].samples
    low = min(one.low for one in row.trail)
    high = max(one.high for one in row.trail)

    def at(samples: int, value: float) -> str:
        up = (value - low) / (high - low) if high > low else 0.5
        along = (samples - first) / (last - first) if last > first else 1.0
        return f"{along * WIDTH:.1f} {HEIGHT - 2 - up * (HEIGHT - 4):.1f}"

    over = [at(one.samples, one.high) for one in row.trail]
    under = [at(one.samples, one.low) for one in reversed(row.trail)]
    line = [at(one.samples, one.value) for one in row.trail]
    said = f"{len(row.trail)} looks, from {first} to {last} samples"
    return Markup(
        '<svg class="band" role="img" aria-label="{}" viewBox="0 0 {} {}" width="{}" height="{}">'
        '<path class="reach" d="M{}Z"/><path class="line" d="M{}"/></svg>'
    ).format(said, WIDTH, HEIGHT, WIDTH, HEIGHT, "L".join(over + under), "L".join(line))
