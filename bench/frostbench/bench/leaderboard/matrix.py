"""The matrix of methods and tasks: values, ranges of ranks, standing against controls."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from frostbench.bench.leaderboard.numbers import Format
from frostbench.bench.leaderboard.rows import Leaderboard, Row, Verdict
from frostbench.bench.leaderboard.tables import Group, Section, Table
from frostbench.bench.store.manifest import MetricEntry

Standing: TypeAlias = Literal["all", "some", "none"]
"""Which of its controls a method is significantly better than."""

MARKS: Mapping[Standing | None, str] = {"all": "●", "some": "◐", "none": "○", None: ""}


@dataclass(frozen=True)
class Contender:
    """A method of a run.

    `seconds` are device seconds a sample, over all that it answered, and `joules` its energy where
    that was counted. `label` and `suffix` are its name, distinguished from the same method of
    another run.
    """

    method: str
    run: int
    label: str
    suffix: str
    colour: int | None
    pack: str
    llm: str
    capabilities: tuple[str, ...]
    seconds: float | None
    joules: float | None = None

    @property
    def name(self) -> str:
        """Label and suffix in one."""
        return f"{self.label} {self.suffix}".strip()


@dataclass(frozen=True)
class TaskPlace:
    """A task under one protocol, as its methods were ranked together."""

    suite: str
    task: str
    protocol: str | None
    note: str
    metric: MetricEntry
    form: Format


@dataclass(frozen=True)
class Cell:
    """The value of a method in a task and protocol, with its tests against controls."""

    row: Row
    text: str
    verdicts: tuple[Verdict, ...]

    @property
    def standing(self) -> Standing | None:
        """How it stands against its controls; None if there are none."""
        if not self.verdicts:
            return None
        beaten = sum(verdict.outcome == "beats" for verdict in self.verdicts)
        return "all" if beaten == len(self.verdicts) else "some" if beaten else "none"

    @property
    def rank(self) -> str:
        """Its range of ranks: "1", "2–4"; empty where it has none."""
        rank = self.row.rank
        if rank is None:
            return ""
        return str(rank.low) if rank.low == rank.high else f"{rank.low}–{rank.high}"


@dataclass(frozen=True)
class Matrix:
    """Methods by tasks; a cell is missing where a method took no part in the run."""

    contenders: tuple[Contender, ...]
    places: tuple[TaskPlace, ...]
    cells: Mapping[tuple[int, int], Cell]

    def cell(self, place: int, contender: int) -> Cell | None:
        """The cell at the numbers of a place and of a contender, from 0."""
        return self.cells.get((place, contender))


def matrix(leaderboard: Leaderboard, parts: Sequence[Section]) -> Matrix:
    """The matrix of a leaderboard, whose sections are `parts`.

    Of protocols that are read side by side (severities) only the first is included, and only where
    the task has no others.
    """
    contenders: dict[tuple[str, int], Contender] = {}
    places: list[TaskPlace] = []
    cells: dict[tuple[int, tuple[str, int]], Cell] = {}
    for part in parts:
        for table in part.tables:
            for group in _shown(table):
                here = _place(part.suite, table, group)
                for line in group.methods:
                    key = line.row.method, line.row.run or 1
                    if key not in contenders:
                        kind = " (imported)" if line.row.kind == "imported" else ""
                        names = f"{line.label}{kind}", line.suffix, line.colour
                        contenders[key] = _contender(leaderboard, key, *names)
                    text = here.form(line.row.value)
                    cells[len(places), key] = Cell(line.row, text, line.verdicts)
                places.append(here)
    order = sorted(contenders)
    return Matrix(
        tuple(contenders[key] for key in order),
        tuple(places),
        {(place, order.index(key)): cell for (place, key), cell in cells.items()},
    )


def _shown(table: Table) -> Sequence[Group]:
    if table.plain is not None:
        return table.plain.groups
    return table.groups[:1]


def _place(suite: str, table: Table, group: Group) -> TaskPlace:
    return TaskPlace(
        suite, table.task.name, group.protocol, group.note, table.metrics[0], table.forms[0]
    )


def _contender(
    leaderboard: Leaderboard, key: tuple[str, int], label: str, suffix: str, colour: int | None
) -> Contender:
    method, run = key
    manifest = leaderboard.manifests[run - 1]
    about, llm = manifest.methods.get(method), manifest.backbones.get("llm")
    spent = {
        (row.task, row.protocol): (row.cost, row.samples or 0)
        for row in leaderboard.rows
        if row.kind == "measured" and (row.method, row.run) == key and row.cost
    }
    return Contender(
        method,
        run,
        label,
        suffix,
        colour,
        manifest.pack.name,
        llm.source.rsplit("/", 1)[-1] if llm else "",
        about.capabilities if about else (),
        _each([(cost.seconds, count) for cost, count in spent.values()]),
        _each([(cost.joules, count) for cost, count in spent.values()]),
    )


def _each(spent: Sequence[tuple[float | None, int]]) -> float | None:
    """The mean over samples of means over groups of samples; None without samples."""
    known = [(each, count) for each, count in spent if each is not None]
    samples = sum(count for _, count in known)
    return math.fsum(each * count for each, count in known) / samples if samples else None
