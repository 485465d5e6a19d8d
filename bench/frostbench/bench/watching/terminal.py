"""The terminal output of `frostbench watch`."""

from collections.abc import Iterator

from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from frostbench.bench.leaderboard.numbers import count
from frostbench.bench.printable import printable
from frostbench.bench.watching.sentences import (
    ROW_HEADS,
    WORKER_HEADS,
    row_cells,
    summary,
    told,
    worker_cells,
)
from frostbench.bench.watching.standing import RunStanding, TaskStanding

STATES = {"died": "red", "silent": "yellow", "done": "dim", "waiting": "dim", "at work": "green"}
MOST_TOLD = 8  # sentences on a screen


def live(run: RunStanding) -> Group:
    """The run as a screen shows it: bars, the rows of tasks at work, workers, what happened."""
    bars = Table.grid(padding=(0, 2))
    for one in run.tasks:
        bar = ProgressBar(total=max(1, one.total), completed=one.done, width=30)
        failed = f"{count(one.failed)} failed" if one.failed else ""
        bars.add_row(
            Text(printable(one.name)), bar, f"{count(one.done)}/{count(one.total)}", failed
        )
    shown = [one for one in run.tasks if one.at_work] or [one for one in run.tasks if one.done][-1:]
    sentences = [Text(printable(line), style="yellow") for line in list(told(run))[-MOST_TOLD:]]
    return Group(
        Text(printable(summary(run)), style="bold"),
        bars,
        _rows(shown, controls=False),
        *_workers(run),
        *sentences,
    )


def whole(run: RunStanding) -> Iterator[Table | str]:
    """The whole state, to be printed once: lines, and tables between them."""
    yield summary(run)
    yield _rows(run.tasks, controls=True)
    yield from _workers(run)
    yield from told(run)


def _rows(tasks: list[TaskStanding] | tuple[TaskStanding, ...], *, controls: bool) -> Table:
    table = Table(*ROW_HEADS, box=None, pad_edge=False)
    for task in tasks:
        rows = [row for row in task.rows if controls or row.control is None]
        for row in rows:
            table.add_row(*(Text(printable(cell)) for cell in row_cells(task, row)))
        if not task.rows:
            table.add_row(Text(printable(task.name)), "", f"0/{count(task.total)}")
    return table


def _workers(run: RunStanding) -> Iterator[Table]:
    if run.crew.workers:
        table = Table(*WORKER_HEADS, box=None, pad_edge=False)
        for one in run.crew.workers:
            table.add_row(
                *(Text(printable(cell)) for cell in worker_cells(one)), style=STATES[one.state]
            )
        yield table
