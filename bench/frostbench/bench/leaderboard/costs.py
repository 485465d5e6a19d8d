"""Costs of the methods: the first table rows of the matrix, and plots of quality against cost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from frostbench.bench.leaderboard.matrix import Cell, Matrix
from frostbench.bench.leaderboard.numbers import NONE, count, readable, seconds
from frostbench.bench.leaderboard.plot import (
    METHODS,
    MUTED,
    PAPER,
    VARIABLES,
    as_svg,
    bare,
    style,
)
from frostbench.bench.store.manifest import Manifest
from frostbench.bench.store.visual import VisualSize

SIZE = (3.1, 2.7)  # inches of a panel
DARK = {"--ink": "#e6e8ea", "--muted": "#9aa2ab", "--line": "#2d3338"}


@dataclass(frozen=True)
class Costs:
    """One kind of cost for every contender, None where it is unknown; the least is the best."""

    label: str
    values: tuple[float | None, ...]
    shown: tuple[str, ...]

    @property
    def least(self) -> float | None:
        """The least of several; None for fewer than two."""
        known = [value for value in self.values if value is not None]
        return min(known) if len(known) > 1 else None


def costs_of(found: Matrix, manifests: Sequence[Manifest]) -> tuple[Costs, ...]:
    """Seconds and joules a sample, and the size of an image in tokens, sentences, and bits."""
    sizes = _sizes(found, manifests)
    tokens = [size.tokens or None if size else None for size in sizes]
    rows: list[tuple[str, list[float | None], Callable[[float], str]]] = [
        ("device-seconds a sample", [one.seconds for one in found.contenders], seconds),
        ("joules a sample", [one.joules for one in found.contenders], seconds),
        ("visual tokens an image", tokens, count),
        ("sentences an image", [size.sentences or None if size else None for size in sizes], count),
        ("bits an image (codebook)", [size.bits if size else None for size in sizes], count),
        ("bits an image (entropy)", [size.entropy if size else None for size in sizes], count),
    ]
    return tuple(
        Costs(label, tuple(values), tuple(NONE if one is None else form(one) for one in values))
        for label, values, form in rows
        if any(value is not None for value in values)
    )


def cost_plot_file(number: int) -> str:
    """The name of the file of a place's plot, by the number of the place in the matrix."""
    return f"cost-{number}.svg"


def cost_plot(found: Matrix, number: int, manifests: Sequence[Manifest]) -> str | None:
    """Quality against seconds and joules a sample, and bits an image, as an SVG file.

    The front joins the methods that no other beats in both. None where nothing has a value.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    cells = [found.cell(number, index) for index in range(len(found.contenders))]
    costs = [cell.row.cost if cell else None for cell in cells]
    times = [cost.seconds if cost else None for cost in costs]
    joules = [cost.joules if cost else None for cost in costs]
    bits = [size.bits if size else None for size in _sizes(found, manifests)]
    panels = [
        (label, points)
        for label, spent in (
            ("device-seconds a sample of this task", times),
            ("joules a sample of this task", joules),
            ("bits an image (codebook)", bits),
        )
        if (points := _points(cells, spent))
    ]
    if not panels:
        return None
    place = found.places[number]
    with mpl.rc_context(style(f"cost {number}")):
        height = SIZE[1] * len(panels)
        figure = Figure(figsize=(SIZE[0], height), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
        for axis, (label, points) in zip(axes, panels, strict=True):
            _panel(axis, found, points, place.form.scale, place.metric.higher_is_better)
            axis.set_xlabel(label)
            unit = f", {place.form.unit}" if place.form.unit else ""
            axis.set_ylabel(f"{place.metric.id}{unit}")
        named = [readable(place.task), readable(place.protocol or "")]
        axes[0].set_title(", ".join(filter(None, named)), loc="left", fontsize=10)
        return _themed(as_svg(figure))


def _sizes(found: Matrix, manifests: Sequence[Manifest]) -> list[VisualSize | None]:
    """The size of an image for each contender."""
    return [manifests[one.run - 1].visual.get(one.method) for one in found.contenders]


def _points(
    cells: Sequence[Cell | None], costs: Sequence[float | None]
) -> list[tuple[int, float, Cell]]:
    """Number, cost and cell of each contender that has both."""
    return [
        (number, cost, cell)
        for number, (cell, cost) in enumerate(zip(cells, costs, strict=True))
        if cell is not None and cell.row.value is not None and cost
    ]


def front(points: Sequence[tuple[float, float]], *, higher_is_better: bool) -> list[int]:
    """The numbers of the points `(cost, value)` that no other beats in both, by cost.

    >>> front([(1, 5), (2, 4), (3, 7), (1, 5)], higher_is_better=True)
    [0, 2]
    """
    turn = -1 if higher_is_better else 1
    order = sorted(range(len(points)), key=lambda i: (points[i][0], turn * points[i][1], i))
    kept: list[int] = []
    for number in order:
        if not kept or turn * points[number][1] < turn * points[kept[-1]][1]:
            kept.append(number)
    return kept


def _panel(
    axis: Any,
    found: Matrix,
    points: Sequence[tuple[int, float, Cell]],
    scale: float,
    higher_is_better: bool,
) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    places = [(cost, (cell.row.value or 0.0) * scale) for _, cost, cell in points]
    on_front = front(places, higher_is_better=higher_is_better)
    axis.plot(
        [places[i][0] for i in on_front],
        [places[i][1] for i in on_front],
        color=MUTED,
        linewidth=1,
        drawstyle="steps-post",
        zorder=1,
    )
    for index, (number, cost, cell) in enumerate(points):
        one, (_, value) = found.contenders[number], places[index]
        colour = MUTED if one.colour is None else METHODS[one.colour]
        if cell.row.low is not None and cell.row.high is not None:
            ends = [cell.row.low * scale, cell.row.high * scale]
            axis.plot([cost, cost], ends, color=colour, linewidth=1.4)
        axis.plot([cost], [value], "o", color=colour, markersize=5)
        axis.annotate(
            one.name, (cost, value), (6, 4), textcoords="offset points", fontsize=8, color=colour
        )
    axis.set_xscale("log")
    costs = [cost for cost, _ in places]
    # On a narrow scale no power of ten lies within, and labels would lie over one another.
    narrow = max(costs) < 2.5 * min(costs)
    axis.xaxis.set_major_locator(
        MaxNLocator(3) if narrow else LogLocator(subs=(1.0, 2.0, 4.0, 7.0))
    )
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.margins(x=0.16)
    bare(axis, grid="both")


def _themed(svg: str) -> str:
    """The plot as a file that follows the reader's preference for light or dark."""
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    light = "".join(f"{VARIABLES[colour]}:{shown};" for colour, shown in PAPER.items())
    dark = "".join(f"{variable}:{shown};" for variable, shown in DARK.items())
    rule = f"<style>:root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}</style>"
    head, tag, body = svg.partition("<defs>")
    return f"{head}{rule}{tag}{body}"
