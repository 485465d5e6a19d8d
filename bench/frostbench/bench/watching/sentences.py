"""The lines and table cells that `frostbench watch` shows."""

import math
from collections.abc import Iterator

from frostbench.bench.leaderboard.numbers import NONE, count, format_of, seconds
from frostbench.bench.watching.crew import WorkerStanding
from frostbench.bench.watching.standing import RowStanding, RunStanding, TaskStanding

ROW_HEADS = ("task", "row", "requests", "failed", "s a sample", "metric", "value", "95 %", "±", "")
WORKER_HEADS = (
    "worker",
    "state",
    "samples",
    "a second",
    "failed",
    "sign of life",
    "where",
    "holds",
)
MOST_HELD = 3


def summary(run: RunStanding) -> str:
    """One line on how far the run is."""
    done = sum(one.done for one in run.tasks)
    total = sum(one.total for one in run.tasks)
    share = f" ({100 * done / total:.0f} %)" if total else ""
    parts = [
        f"{run.folder}: {run.manifest.status}",
        f"{count(done)} of {count(total)} requests{share}",
        f"{count(run.samples)} samples",
        f"{count(run.failed)} failed",
    ]
    if run.manifest.status == "running":
        if run.rate:
            parts.append(f"{seconds(run.rate)} samples/s")
        if run.left is not None:
            parts.append(f"about {clock(run.left)} left")
    else:
        parts.append(f"{clock(run.manifest.seconds)} in all")
    return ", ".join(parts) + "."


def told(run: RunStanding) -> Iterator[str]:
    """Sentences that the user must know: deaths, and that no process is at work."""
    if run.manifest.status == "running" and not run.crew.kept:
        yield "No process keeps this run; the same `frostbench run` goes on with it."
    yield from run.crew.told
    yield from dict.fromkeys(run.manifest.notes)
    for failure in run.manifest.failures:
        if not failure.samples:
            who = failure.method or failure.task or "the run"
            yield f"{who} failed: {failure.error}"
    yield from run.manifest.violations


def row_cells(task: TaskStanding, row: RowStanding) -> tuple[str, ...]:
    """The cells of a row under `ROW_HEADS`."""
    form = format_of(task.metric, [None if row.estimate is None else row.estimate.value])
    value = NONE if row.estimate is None else form.with_unit(row.estimate.value)
    interval = half = was = ""
    if row.estimate is not None:
        interval = form.interval(row.estimate.low, row.estimate.high)
    if row.trail and interval:
        first, last = row.trail[0], row.trail[-1]
        half = form((last.high - last.low) / 2)
        if first != last:
            was = f"was ± {form((first.high - first.low) / 2)} by {count(first.samples)}"
    return (
        task.name,
        row.name,
        f"{count(row.samples)}/{count(task.total)}",
        count(row.failed),
        NONE if row.seconds is None or math.isnan(row.seconds) else seconds(row.seconds),
        task.metric.id,
        value,
        interval,
        half,
        was,
    )


def worker_cells(one: WorkerStanding) -> tuple[str, ...]:
    """The cells of a worker under `WORKER_HEADS`."""
    held = ", ".join(one.holds[:MOST_HELD])
    more = len(one.holds) - MOST_HELD
    return (
        one.name,
        one.state,
        count(one.samples) if one.where else NONE,
        NONE if one.rate is None else seconds(one.rate),
        count(one.failed) if one.where else NONE,
        f"{one.quiet:.0f} s ago",
        one.where,
        f"{held} and {more} more" if more > 0 else held,
    )


def clock(value: float) -> str:
    """Seconds as a clock shows them.

    >>> clock(3), clock(125), clock(7300)
    ('3 s', '2 min 5 s', '2 h 1 min')
    """
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
