"""Small inline plots: a dot for the value, a line for its interval, marks for controls."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from frostbench.bench.leaderboard.numbers import Format, readable
from frostbench.bench.leaderboard.tables import Group, Line, Table

WIDTH, HEIGHT, EDGE = 190, 20, 5


@dataclass(frozen=True)
class Scale:
    """From values to the horizontal places of a bar."""

    least: float
    most: float

    def __call__(self, value: float) -> float:
        """Where a value lies; values beyond the ends are put at the end."""
        share = (value - self.least) / (self.most - self.least)
        return round(EDGE + min(1.0, max(0.0, share)) * (WIDTH - 2 * EDGE), 1)


def whisker(line: Line, group: Group, table: Table, form: Format) -> Markup:
    """The line's interval as inline SVG, against the controls that it must be read against.

    Controls that need no method are marked in every line; those of a method in its own.
    """
    row, scale = line.row, Scale(*table.span)
    marks = [] if row.control else _marks(line, group)
    parts = [
        Markup('<line class="mark {kind}" x1="{x}" x2="{x}" y1="1" y2="19"/>').format(
            kind="free" if mark.row.of is None else "own", x=scale(mark.row.value or 0.0)
        )
        for mark in marks
    ]
    said = []
    if row.value is not None:
        x = scale(row.value)
        if row.low is not None and row.high is not None:
            ends = {"a": scale(row.low), "b": scale(row.high)}
            parts.append(
                Markup('<path class="reach" d="M{a} 10H{b}M{a} 6.5V13.5M{b} 6.5V13.5"/>').format(
                    **ends
                )
            )
            said.append(f"{form(row.value)}, interval {form.interval(row.low, row.high)}")
        else:
            said.append(f"{form(row.value)}, no interval")
        parts.append(Markup('<circle class="dot" cx="{x}" cy="10" r="3.6"/>').format(x=x))
    said += [f"{readable(mark.label)} {form(mark.row.value)}" for mark in marks]
    title = "; ".join(said)
    return Markup(
        '<svg class="whisker" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" '
        'aria-label="{title}"><title>{title}</title>'
        '<line class="floor" x1="{e}" x2="{f}" y1="10" y2="10"/>{parts}</svg>'
    ).format(w=WIDTH, h=HEIGHT, e=EDGE, f=WIDTH - EDGE, title=title, parts=Markup("").join(parts))


def _marks(line: Line, group: Group) -> Sequence[Line]:
    return [
        control
        for control in group.controls
        if control.row.value is not None
        and (
            control.row.of is None
            or (control.row.of == line.row.method and control.row.run == line.row.run)
        )
    ]
