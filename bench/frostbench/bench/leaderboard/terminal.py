"""The matrix in the terminal: a table for each suite, folded if the terminal is narrow."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby

from rich.cells import cell_len
from rich.table import Table as RichTable
from rich.text import Text

from frostbench.bench.leaderboard.facts import facts
from frostbench.bench.leaderboard.markdown import arrow
from frostbench.bench.leaderboard.matrix import MARKS, Cell, Contender, Matrix, Standing, TaskPlace
from frostbench.bench.leaderboard.numbers import NONE, Format, count, readable, seconds
from frostbench.bench.leaderboard.rows import Leaderboard, Row
from frostbench.bench.leaderboard.tables import Group, Table, sections
from frostbench.bench.printable import printable
from frostbench.bench.store.manifest import MetricEntry

GAP = 2  # blanks between two columns
NARROWEST = 12  # columns of a row's name

LEGEND = (
    f"{MARKS['all']} beats all of its controls, {MARKS['some']} some, {MARKS['none']} none. "
    "After each value stands its range of ranks. Of protocols that are read side by side "
    "(severities) the first is shown."
)

STYLES: dict[Standing | None, str] = {"all": "green", "some": "", "none": "red", None: "dim"}


def heading(leaderboard: Leaderboard, names: Sequence[str]) -> Iterator[str]:
    """What was run, one line for each run, and why its results may not count."""
    for number, (name, manifest) in enumerate(zip(names, leaderboard.manifests, strict=True), 1):
        said = facts(number, manifest)
        which = f"run {number}, " if len(names) > 1 else ""
        about = dict(said.pairs)
        shown = [f"{key} {about[key]}" for key in ("language model", "seed", "device")]
        failed = len(manifest.failures)
        yield printable(
            f"{which}{name}: {manifest.status}; pack {manifest.pack.name}, {', '.join(shown)}."
            + (f" What failed ({failed}) is listed by all=true." if failed else "")
        )
        yield from filter(None, [printable(said.warning)])
        if said.frozen.holds is False:
            yield printable(said.frozen.sentence)


def tables(matrix: Matrix, width: int) -> Iterator[RichTable | Text]:
    """The matrix suite by suite, then the costs of a sample; no table is wider than `width`.

    Methods that answered nothing in a suite have no column there. In a narrow terminal methods
    stand in groups below one another; where not even one fits, ranks are left out.
    """
    order = range(len(matrix.places))
    for suite, group in groupby(order, key=lambda place: matrix.places[place].suite):
        places = list(group)
        heads = [_named(matrix.places[place]) for place in places]
        here = [
            number
            for number in range(len(matrix.contenders))
            if any((cell := matrix.cell(p, number)) and cell.row.value is not None for p in places)
        ]
        cells = {n: [matrix.cell(place, n) for place in places] for n in here}
        columns = [_column(matrix.contenders[n], cells[n], ranks=True) for n in here]
        names = max(cell_len(label) + cell_len(unit) + GAP for label, unit in heads)
        if columns and max(map(_width, columns)) + min(names, NARROWEST) + GAP > width:
            columns = [_column(matrix.contenders[n], cells[n], ranks=False) for n in here]
        yield from _folded(readable(suite), heads, columns, width)
    spent = [one for one in matrix.contenders if one.seconds]
    figures = [(one.seconds, one.joules) for one in spent]
    rows = 2 if any(joules is not None for _, joules in figures) else 1
    heads = [("seconds of the device a sample", ""), ("joules a sample", "")][:rows]
    columns = [
        [_title(one), *(Text(seconds(value)) for value in values[:rows])]
        for one, values in zip(spent, figures, strict=True)
    ]
    if spent:
        yield from _folded("cost", heads, columns, width)


def task_tables(
    leaderboard: Leaderboard, tasks: Collection[str], width: int
) -> Iterator[RichTable | Text]:
    """Some tasks in full: every metric, interval, control and cost, protocol by protocol."""
    for section in sections(leaderboard):
        for table in section.tables:
            if table.task.name in tasks:
                yield Text(printable(readable(table.task.name)), "bold")
                if table.task.summary:
                    yield Text(printable(table.task.summary))
                for group in table.groups:
                    yield Text()
                    yield from _group(table, group, width)
                yield from (Text(f"\n{printable(doubt)}") for doubt in table.doubts)


def _group(table: Table, group: Group, width: int) -> Iterator[RichTable | Text]:
    """The lines of a protocol, methods before controls, and remarks on them."""
    lines = (*group.methods, *group.controls)
    names = [printable(line.tagged) for line in lines]
    columns = [_cells("rank", [str(line.row.rank or "") for line in lines])]
    for number, (metric, form) in enumerate(zip(table.metrics, table.forms, strict=True)):
        rows = [(line.row, *line.others)[number] for line in lines]
        column = _cells("\n".join(_metric(metric, form)), [_value(row, form) for row in rows])
        for cell, row in zip(column[1:], rows, strict=True):
            cell.stylize("bold" if row and row.best else "")
        columns.append(column)
    costs = [line.row.cost for line in lines]
    failed = [f" ({line.row.failed} failed)" if line.row.failed else "" for line in lines]
    columns += [
        _cells("samples", [count(x.row.samples) + f for x, f in zip(lines, failed, strict=True)]),
        _cells("s", [seconds(cost.seconds if cost else None) for cost in costs]),
        _cells("prompt\ntokens", [count(cost.prompt_tokens if cost else None) for cost in costs]),
        _cells("generated\ntokens", [count(c.generated_tokens if c else None) for c in costs]),
    ]
    joules = [cost.joules if cost else None for cost in costs]
    if any(one is not None for one in joules):
        columns.append(_cells("J", map(seconds, joules)))
    shown = [
        (name if line.row.control is None else f"  {name}", "")
        for line, name in zip(lines, names, strict=True)
    ]
    yield from _folded(printable(group.protocol or ""), shown, columns, width)
    told = [f"{line.name}: {line.row.reason}" for line in lines if line.row.reason]
    for one in dict.fromkeys((*told, group.note, *_verdicts(group))):
        if one:
            yield Text(printable(one), "dim")


def _verdicts(group: Group) -> Iterator[str]:
    for line in group.methods:
        for outcome, said in (("loses", "loses to"), ("ties", "cannot be told from")):
            names = [readable(v.control) for v in line.verdicts if v.outcome == outcome]
            if names:
                yield f"{line.name} {said} {', '.join(names)}."


def _cells(head: str, cells: Iterable[str]) -> list[Text]:
    return [Text(head), *map(Text, cells)]


def _value(row: Row | None, form: Format) -> str:
    if row is None or row.value is None:
        return NONE
    return f"{form(row.value)}{form.brackets(row.low, row.high)}"


def _metric(metric: MetricEntry, form: Format) -> tuple[str, str]:
    """Its id, the better direction, and its unit."""
    turn = "" if metric.direction == "neither" else arrow(metric.higher_is_better)
    return metric.id, ", ".join(filter(None, [turn, form.unit]))


def _named(place: TaskPlace) -> tuple[str, str]:
    """The task with its protocol, and the metric."""
    note = f" ({place.note})" if place.note else ""
    told = " ".join(_metric(place.metric, place.form)).rstrip()
    return printable(f"{readable(place.task)} {place.protocol or ''}".rstrip() + note), told


def _title(contender: Contender) -> Text:
    return Text(printable("\n".join(filter(None, [contender.label, contender.suffix]))))


def _column(contender: Contender, cells: Sequence[Cell | None], *, ranks: bool) -> list[Text]:
    """A method's name and its cells, values below values and ranks below ranks."""
    values = max((len(cell.text) for cell in cells if cell), default=0)
    behind = max((len(cell.rank) for cell in cells if cell), default=0) if ranks else 0
    column = [_title(contender)]
    for cell in cells:
        if cell is None or cell.row.value is None:
            column.append(Text("" if cell is None else f"{NONE:>{values}}", "dim"))
            continue
        rank = f" {cell.rank:<{behind}}" if behind else ""
        style = f"bold {STYLES[cell.standing]}" if cell.row.best else STYLES[cell.standing]
        column.append(Text(f"{cell.text:>{values}}{rank} {MARKS[cell.standing]:<1}", style.strip()))
    return column


def _width(column: Iterable[Text]) -> int:
    return max(cell_len(line) for text in column for line in text.plain.split("\n"))


def _folded(
    title: str, heads: Sequence[tuple[str, str]], columns: Sequence[list[Text]], width: int
) -> Iterator[RichTable | Text]:
    """One table, or several below one another, each with as many columns as fit.

    A row's name is folded before the last column is. Metrics have a column of their own
    where no method needs its room.
    """
    labels, units = (max(map(cell_len, side)) for side in zip(*heads, strict=True))
    widest = max(map(_width, columns), default=0) + GAP
    taken = min(labels, max(NARROWEST, width - widest)) + GAP
    short = _blocks(columns, width - taken)
    told = _blocks(columns, width - taken - units - GAP) if units else short
    with_units = bool(units) and len(told) == len(short) and labels + units + widest <= width
    for columns_here in told if with_units else short:
        yield _table(title, heads, columns_here, with_units)
    if units and not with_units:
        metrics = dict.fromkeys(unit for _, unit in heads)
        yield Text(f"ranked by {'; '.join(metrics)}", "dim")


def _blocks(columns: Sequence[list[Text]], room: int) -> list[list[list[Text]]]:
    """The columns in groups that fit, one at least in each."""
    blocks: list[list[list[Text]]] = [[]]
    free = room
    for column in columns:
        needed = _width(column) + GAP
        if blocks[-1] and needed > free + GAP:  # nothing comes after the last one
            blocks.append([])
            free = room
        blocks[-1].append(column)
        free -= needed
    return blocks


def _table(
    title: str, heads: Sequence[tuple[str, str]], columns: Sequence[list[Text]], with_units: bool
) -> RichTable:
    table = RichTable(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold")
    table.add_column(Text(title), overflow="fold")
    if with_units:
        table.add_column("", style="dim", no_wrap=True)
    for column in columns:
        table.add_column(column[0], no_wrap=True, overflow="fold")
    for number, (label, unit) in enumerate(heads, start=1):
        cells = [column[number] for column in columns]
        table.add_row(Text(label), *([Text(unit)] if with_units else []), *cells)
    return table
