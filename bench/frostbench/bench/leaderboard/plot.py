"""The plot of a suite: values and intervals of methods and controls, an axis for each metric."""

import hashlib
import io
import math
import re
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from frostbench.bench.leaderboard.looks import Looks
from frostbench.bench.leaderboard.numbers import Format, format_of, readable
from frostbench.bench.leaderboard.tables import Group, Line, Section, Table
from frostbench.bench.printable import printable

# Colours that the page's style sheet replaces, as matplotlib can write them.
INK, MUTED, GRID = "#0f0f01", "#0f0f02", "#0f0f03"
VARIABLES = {INK: "--ink", MUTED: "--muted", GRID: "--line"}
PAPER = {INK: "#1d2024", MUTED: "#6a7079", GRID: "#e3e4e2"}
METHODS = (
    *("#0069b4", "#bd4a08", "#00845f", "#a8468a", "#8a6d00"),
    *("#4a55c0", "#b3263a", "#1f7a8c", "#6f5f4e", "#5c7a00"),
)
MARKERS = Looks(
    free=("|", "^", "d"),
    ceilings=(">", "p", "h"),
    others=("*", "v", "x", "D", "s", "P", "4", "<"),
)
LONGEST_STEM = 100  # characters of a file's name
WIDTH = 8.2  # inches
ROW, LANE = 0.5, 0.19  # inches between categories, and between methods within one


def plot(section: Section) -> str | None:
    """The section's plot as SVG, with colours to be replaced by `for_page` or `for_paper`.

    The same rows give the same bytes. None where nothing was measured.
    """
    import matplotlib as mpl

    panels: dict[str, list[tuple[Table, Group]]] = defaultdict(list)
    for table in section.tables:
        for group in table.plain.groups if table.plain else ():
            if any(line.row.value is not None for line in (*group.methods, *group.controls)):
                panels[table.metrics[0].id].append((table, group))
    if not panels:
        return None
    with mpl.rc_context(style(section.suite)):
        return _draw(section, panels)


def style(salt: str) -> dict[str, Any]:
    """How all plots look; plots on one page have different salts, and then different ids."""
    return {
        "svg.fonttype": "none",
        # A method's name may hold dollars.
        "text.parse_math": False,
        "svg.hashsalt": salt,
        "font.family": "sans-serif",
        "font.size": 9,
        "text.color": INK,
        "axes.labelcolor": MUTED,
        "xtick.color": MUTED,
        "ytick.color": INK,
    }


def bare(axis: Any, *, grid: str) -> None:
    """Remove frame and ticks, and put a grid ("x", "y" or "both") in the background."""
    axis.grid(axis=grid, color=GRID, linewidth=0.7)
    axis.set_axisbelow(True)
    axis.tick_params(length=0, which="both")
    for side in axis.spines.values():
        side.set_visible(False)


def as_svg(figure: Any) -> str:
    """The figure as SVG, the same bytes for the same lines."""
    buffer = io.StringIO()
    with warnings.catch_warnings():
        # Letters that our font lacks are measured with another's, and shown with the reader's.
        warnings.filterwarnings("ignore", "Glyph")
        nothing = {"Date": None, "Creator": None}
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    # XML knows no control characters.
    return printable(buffer.getvalue())


def legend(figure: Any, handles: Mapping[str, Any], **how: Any) -> None:
    """The legend above a figure; matplotlib would leave out names that begin with an underscore."""
    names = [f" {name}" if name.startswith("_") else name for name in handles]
    figure.legend(
        list(handles.values()),
        names,
        loc="outside upper left",
        ncols=_columns(names),
        frameon=False,
        columnspacing=1.4,
        fontsize=9,
        **how,
    )


def _columns(names: Sequence[str]) -> int:
    """How many columns of names fit in a legend, six at most.

    >>> _columns(["v2l"] * 8), _columns(["oracle boxes random classes", "no llm"] * 6)
    (6, 3)
    """
    for count in range(6, 1, -1):
        rows = math.ceil(len(names) / count)
        longest = [max(map(len, names[at : at + rows])) for at in range(0, len(names), rows)]
        if sum(0.5 + 0.075 * letters for letters in longest) <= WIDTH:
            return count
    return 1


def plot_file(suite: str, kind: str = "") -> str:
    """The name of a plot's file: a suite may be called anything.

    >>> plot_file("../../x"), plot_file("restoration", "-curves")
    ('..%2F..%2Fx.svg', 'restoration-curves.svg')
    """
    stem = quote(suite, safe=" ()+,=@[]")
    if len(stem) > LONGEST_STEM:
        stem = stem[:LONGEST_STEM] + hashlib.sha256(suite.encode()).hexdigest()[:16]
    return f"{stem}{kind}.svg"


def for_page(svg: str) -> str:
    """The plot for the page: colours follow its style sheet, size follows its box."""
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    for index, colour in enumerate(METHODS):
        svg = svg.replace(colour, f"var(--m{index})")
    svg = svg[svg.index("<svg") :]
    # matplotlib's own CSS rule applies to every element, and on the page beyond the plot.
    svg = svg.replace("*{stroke-linejoin", ".plot *{stroke-linejoin")
    svg = re.sub(
        r"font: ([^;\"]*?)('?sans-serif'?|[\"']DejaVu Sans[\"'])[^;\"]*", r"font: \1inherit", svg
    )
    return re.sub(
        r'(<svg[^>]*?) width="[\d.]+pt"',
        r"\1",
        re.sub(r' height="[\d.]+pt"', "", svg, count=1),
        count=1,
    )


def for_paper(svg: str) -> str:
    """The plot as a file of its own, on white."""
    for colour, shown in PAPER.items():
        svg = svg.replace(colour, shown)
    return svg


def colour_of(line: Line) -> str:
    """The colour of a method and its controls; grey for controls without a method."""
    if line.colour is None:
        return MUTED
    return METHODS[line.colour]


def _draw(section: Section, panels: Mapping[str, Sequence[tuple[Table, Group]]]) -> str:
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    heights = [_height(places) for places in panels.values()]
    figure = Figure(
        figsize=(WIDTH, sum(heights) + 0.75 * len(heights) + 0.35), layout="constrained"
    )
    FigureCanvasSVG(figure)
    axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
    handles: dict[str, Any] = {}
    markers = MARKERS.of(section.tables, drawn=False)
    for axis, places in zip(axes, panels.values(), strict=True):
        _panel(axis, places, handles, markers)
    legend(figure, handles, handletextpad=0.3)
    return as_svg(figure)


def _height(places: Sequence[tuple[Table, Group]]) -> float:
    return sum(max(ROW, LANE * (1 + len(group.methods))) for _, group in places)


def _panel(
    axis: Any,
    places: Sequence[tuple[Table, Group]],
    handles: dict[str, Any],
    markers: Mapping[str, str],
) -> None:
    form = format_of(places[0][0].metrics[0])
    ticks, labels, y = [], [], 0.0
    task = ""
    for table, group in places:
        height = max(ROW, LANE * (1 + len(group.methods)))
        centre = y + height / 2
        if task and task != table.task.name:
            axis.axhline(y, color=GRID, linewidth=0.8, zorder=0)
        task = table.task.name
        ticks.append(centre)
        labels.append(_place(table, group, places))
        _lanes(axis, centre, group, form, handles, markers)
        y += height
    axis.set_ylim(y, 0)
    if len({table.task.name for table, _ in places}) == 1 and places[0][1].protocol:
        axis.set_title(readable(task), loc="left", fontsize=9, color=MUTED)
    axis.set_yticks(ticks, labels)
    metric = places[0][0].metrics[0]
    arrow = "higher is better" if metric.higher_is_better else "lower is better"
    axis.set_xlabel(f"{metric.id}{', ' + form.unit if form.unit else ''} ({arrow})")
    if metric.unit_range:
        axis.set_xlim(-0.01 * form.scale, 1.01 * form.scale)
    bare(axis, grid="x")


def _place(table: Table, group: Group, places: Sequence[tuple[Table, Group]]) -> str:
    tasks = {other.task.name for other, _ in places}
    parts = [] if len(tasks) == 1 and group.protocol else [readable(table.task.name)]
    if group.protocol:
        parts.append(readable(group.protocol))
    if group.note:
        parts.append(group.note.partition(":")[0])
    return ", ".join(parts)


def _lanes(
    axis: Any,
    centre: float,
    group: Group,
    form: Format,
    handles: dict[str, Any],
    markers: Mapping[str, str],
) -> None:
    lines = sorted(
        (line for line in group.methods if line.row.value is not None), key=lambda line: line.name
    )
    lanes = {
        (line.row.method, line.row.run): centre + LANE * (index - (len(lines) - 1) / 2)
        for index, line in enumerate(lines)
    }
    for line in lines:
        y, row = lanes[line.row.method, line.row.run], line.row
        colour = colour_of(line)
        value = (row.value or 0.0) * form.scale
        if row.low is not None and row.high is not None:
            axis.plot([row.low * form.scale, row.high * form.scale], [y, y], color=colour, lw=1.6)
        (dot,) = axis.plot([value], [y], "o", color=colour, markersize=5.5)
        handles.setdefault(line.name, dot)
    for control in group.controls:
        if control.row.value is not None:
            y = lanes.get((control.row.of or "", control.row.run), centre)
            _control(axis, control, y, form, handles, markers.get(control.row.control or "", "+"))


def _control(
    axis: Any, line: Line, y: float, form: Format, handles: dict[str, Any], marker: str
) -> None:
    name = line.row.control or ""
    free = line.row.of is None
    colour = MUTED if free else colour_of(line)
    axis.plot(
        [(line.row.value or 0.0) * form.scale],
        [y],
        marker,
        color=colour,
        markerfacecolor="none",
        markersize=15 if free else 5.5,
        markeredgewidth=1.4 if free else 1.1,
        zorder=1.5,
    )
    if readable(name) not in handles:
        sample = axis.plot([], [], marker, color=MUTED, markerfacecolor="none")
        sample[0].set_markersize(8 if free else 5.5)
        handles[readable(name)] = sample[0]
