"""Curves: the ranking metric of each row by severity or variant."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from frostbench.bench.leaderboard.looks import Looks
from frostbench.bench.leaderboard.numbers import Format, format_of, readable
from frostbench.bench.leaderboard.plot import MUTED, as_svg, bare, colour_of, legend, style
from frostbench.bench.leaderboard.rows import Row
from frostbench.bench.leaderboard.tables import Across, Section, Table

COLUMNS = 3
SIZE = (2.75, 2.35)  # inches of a panel
SPREAD = 0.34  # spacing of the rows at one place, relative to the distance between places
DASHES: Looks[tuple[float, ...]] = Looks(
    free=((4.0, 2.0), (8.0, 3.0)),
    ceilings=((6.0, 1.5, 1.0, 1.5), (6.0, 1.5, 1.0, 1.5, 1.0, 1.5)),
    others=((2.0, 1.5), (1.0, 1.6), (3.0, 1.0, 1.0, 1.0)),
)
"""How the lines of controls are broken."""


Dashes: TypeAlias = Mapping[str, tuple[float, ...]]


def curves(section: Section) -> str | None:
    """A panel a task with levels or variants, as SVG; see `plot.for_page` and `plot.for_paper`.

    Levels are joined by lines, variants are not. Methods are drawn with their intervals, and those
    controls that the run marks as drawn. The same rows give the same bytes. None where there is no
    such task.
    """
    import matplotlib as mpl

    tables = [table.series for table in section.tables if table.series is not None]
    shown = [table for table in tables if any(x.row.value is not None for x in table.lines)]
    if not shown:
        return None
    with mpl.rc_context(style(f"{section.suite} curves")):
        return _draw(shown)


def _draw(tables: Sequence[Table]) -> str:
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(tables))
    rows = -(-len(tables) // columns)
    figure = Figure(figsize=(COLUMNS * SIZE[0], rows * SIZE[1] + 0.55), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    handles: dict[str, Any] = {}
    dashes = DASHES.of(tables, drawn=True)
    said = ""
    for number, (axis, table) in enumerate(zip(axes, tables, strict=False)):
        _panel(axis, table, handles, dashes)
        # Named once a row, and again where the metric changes.
        label = axis.get_ylabel()
        if number % columns and label == said:
            axis.set_ylabel("")
        said = label
    for axis in axes[len(tables) :]:
        axis.set_axis_off()
    legend(figure, handles, handlelength=2.2)
    return as_svg(figure)


def _panel(axis: Any, table: Table, handles: dict[str, Any], dashes: Dashes) -> None:
    metric, form = table.metrics[0], format_of(table.metrics[0])
    joined = bool(table.task.levels)
    several = [across for across in table.side_by_side if any(_values(across, form))]
    methods = [across for across in several if not across.line.row.control]
    for number, across in enumerate(methods):
        share = number / (len(methods) - 1) - 0.5 if len(methods) > 1 else 0.0
        _method(axis, across, SPREAD * share, form, joined, handles)
    for across in several:
        control = across.line.row.control or ""
        if control in dashes:
            _control(axis, across, form, joined, handles, dashes[control])
    axis.set_title(readable(table.task.name), loc="left", fontsize=9.5)
    names = [readable(group.protocol or "") for group in table.groups]
    axis.set_xticks(range(len(names)), names)
    axis.set_xlim(-0.4, len(names) - 0.6)
    arrow = "higher is better" if metric.higher_is_better else "lower is better"
    unit = f", {form.unit}" if form.unit else ""
    axis.set_ylabel(f"{metric.id}{unit} ({arrow})", fontsize=7.5)
    bare(axis, grid="y")
    axis.tick_params(labelsize=8)


def _method(
    axis: Any, across: Across, shift: float, form: Format, joined: bool, handles: dict[str, Any]
) -> None:
    colour = colour_of(across.line)
    places = [place + shift for place in range(len(across.rows))]
    for place, row in zip(places, across.rows, strict=True):
        if row is not None and row.low is not None and row.high is not None:
            ends = [row.low * form.scale, row.high * form.scale]
            axis.plot([place, place], ends, color=colour, lw=1.1, alpha=0.75)
    line = "o-" if joined else "o"
    (drawn,) = axis.plot(places, _values(across, form), line, color=colour, lw=1.7, markersize=4)
    handles.setdefault(across.line.name, drawn)


def _control(
    axis: Any,
    across: Across,
    form: Format,
    joined: bool,
    handles: dict[str, Any],
    dashes: tuple[float, ...],
) -> None:
    free = across.line.row.of is None
    line = {
        "color": MUTED if free else colour_of(across.line),
        "lw": 1.3 if free else 0.9,
        "dashes": dashes,
    }
    values = _values(across, form)
    if joined:
        axis.plot(range(len(values)), values, **line)
    for place, value in enumerate(values):
        if not joined and value is not None:
            ends = [place - 0.3, place + 0.3]
            axis.plot(ends, [value] * 2, **line)
    label = readable(across.line.row.control or "")
    if label not in handles:
        (sample,) = axis.plot([], [], color=MUTED, lw=1.2, dashes=dashes)
        handles[label] = sample


def _values(across: Across, form: Format) -> list[float | None]:
    def value(row: Row | None) -> float | None:
        return None if row is None or row.value is None else row.value * form.scale

    return [value(row) for row in across.rows]
