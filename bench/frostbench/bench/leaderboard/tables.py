"""Tables for readers: sections by suite, tables by task, groups of lines by protocol."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from frostbench.bench.leaderboard.claims import needs_sentence, no_intervals
from frostbench.bench.leaderboard.numbers import Format, format_of
from frostbench.bench.leaderboard.rows import Leaderboard, Need, Row, Verdict
from frostbench.bench.store.manifest import MetricEntry, TaskEntry

SUITES = ("understanding", "restoration", "grounding", "detection")

LineKey: TypeAlias = tuple[int | None, str | None, str | None]
COLOURS = 10  # of methods; more take them in turn


@dataclass(frozen=True)
class Line:
    """One line: the row on the ranking metric, and those on the others (None where missing)."""

    row: Row
    others: tuple[Row | None, ...]
    label: str
    suffix: str
    colour: int | None
    meaning: str
    verdicts: tuple[Verdict, ...] = ()
    brought: bool = False  # a control that the method makes itself

    @property
    def not_beaten(self) -> tuple[Verdict, ...]:
        """The controls that this method is not better than."""
        return tuple(verdict for verdict in self.verdicts if verdict.outcome != "beats")

    @property
    def name(self) -> str:
        """Label and suffix in one."""
        return f"{self.label} {self.suffix}".strip()

    @property
    def tagged(self) -> str:
        """The name with marks that readers must know."""
        tags = ", ".join(filter(None, ["adapter" * self.row.adapter, self.row.checked]))
        return f"{self.name} ({tags})" if tags else self.name


@dataclass(frozen=True)
class Group:
    """Lines that were ranked together: one protocol of a task."""

    protocol: str | None
    note: str
    methods: tuple[Line, ...]
    controls: tuple[Line, ...]


@dataclass(frozen=True)
class Table:
    """A task; the first metric ranks."""

    task: TaskEntry
    metrics: tuple[MetricEntry, ...]
    groups: tuple[Group, ...]
    needs: tuple[Need, ...] = ()

    @property
    def doubts(self) -> tuple[str, ...]:
        """Sentences: what there are too few samples for, and which metrics have no interval."""
        rows = (row for line in self.lines for row in (line.row, *line.others) if row)
        return tuple(filter(None, [needs_sentence(self.needs), *no_intervals(rows)]))

    @property
    def plain(self) -> "Table | None":
        """The table of the protocols that stand for themselves."""
        return self._of([g for g in self.groups if g.protocol not in self.task.series])

    @property
    def series(self) -> "Table | None":
        """The table of the protocols that stand side by side, and are read together."""
        return self._of([g for g in self.groups if g.protocol in self.task.series])

    def _of(self, groups: Sequence[Group]) -> "Table | None":
        return replace(self, groups=tuple(groups)) if groups else None

    @property
    def side_by_side(self) -> tuple["Across", ...]:
        """Each line once, with its rows in all groups; methods in the order of the first."""
        found: dict[LineKey, list[tuple[int, Line]]] = defaultdict(list)
        for place, group in enumerate(self.groups):
            for line in (*group.methods, *group.controls):
                found[line.row.line].append((place, line))
        several = []
        for lines in found.values():
            rows: list[Row | None] = [None] * len(self.groups)
            for place, line in lines:
                rows[place] = line.row
            several.append(Across(lines[0][1], tuple(rows)))
        return tuple(sorted(several, key=lambda across: across.line.row.control is not None))

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines of all groups."""
        return tuple(x for group in self.groups for x in (*group.methods, *group.controls))

    @property
    def forms(self) -> tuple[Format, ...]:
        """How the values of each metric are shown."""
        columns = zip(*((line.row, *line.others) for line in self.lines), strict=True)
        values = [[row.value if row else None for row in column] for column in columns]
        filled = values or [[] for _ in self.metrics]
        return tuple(format_of(m, found) for m, found in zip(self.metrics, filled, strict=True))

    @property
    def span(self) -> tuple[float, float]:
        """The least and the greatest value that the table's bars must hold."""
        if self.metrics[0].unit_range:
            return 0.0, 1.0
        ends = []
        for line in self.lines:
            ends += [x for x in (line.row.low, line.row.value, line.row.high) if x is not None]
        if not ends:
            return 0.0, 1.0
        margin = 0.05 * (max(ends) - min(ends)) or 0.5
        return min(ends) - margin, max(ends) + margin


@dataclass(frozen=True)
class Across:
    """A line in several protocols: its first one, and a row each, None where it has none."""

    line: Line
    rows: tuple[Row | None, ...]

    @property
    def is_main(self) -> bool:
        """Whether it is in the short table: methods, their own controls, controls without one."""
        return self.line.row.control is None or self.line.row.of is None or self.line.brought


@dataclass(frozen=True)
class Remark:
    """A method and the controls that it does not beat in the same places."""

    method: str
    controls: tuple[str, ...]
    loses: tuple[str, ...]
    ties: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """A suite."""

    suite: str
    tables: tuple[Table, ...]
    remarks: tuple[Remark, ...]
    compared: int


def sections(leaderboard: Leaderboard) -> tuple[Section, ...]:
    """Everything that was measured, suite by suite in the order of the design."""
    tasks: dict[str, TaskEntry] = {}
    metrics: dict[str, MetricEntry] = {}
    for manifest in leaderboard.manifests:
        for name, task in manifest.tasks.items():
            tasks.setdefault(name, task)
        for name, metric in manifest.metrics.items():
            metrics.setdefault(name, metric)
    names = _Names(leaderboard)
    suites = list(dict.fromkeys(task.suite for task in tasks.values()))
    suites.sort(key=lambda suite: SUITES.index(suite) if suite in SUITES else len(SUITES))
    return tuple(
        _section(
            suite, [t for t in tasks.values() if t.suite == suite], metrics, leaderboard, names
        )
        for suite in suites
    )


class _Names:
    """Labels, colours, suffixes: a method in two runs is told apart by its model or its run."""

    def __init__(self, leaderboard: Leaderboard) -> None:
        measured = {
            (row.method, row.run) for row in leaderboard.rows if row.kind == "measured" and row.run
        }
        self._colours = {key: index for index, key in enumerate(sorted(measured))}
        self._several = len(leaderboard.manifests) > 1
        numbered = enumerate(leaderboard.manifests, start=1)
        self._imported = {number for number, manifest in numbered if manifest.imported}
        self._models = {row.run: row.llm for row in leaderboard.rows if row.llm}
        self._runs: dict[tuple[str, str | None], set[int]] = defaultdict(set)
        for method, run in measured:
            self._runs[method, self._models.get(run)].add(run)

    def suffix(self, method: str | None, run: int | None) -> str:
        """Which language model, where runs differ in it ("· llama"), and which run of several.

        Empty where the method occurs once. A control that needs no method needs no model.
        """
        if run in self._imported:
            return "(imported)"
        if not self._several or run is None:
            return ""
        if method is None:
            return f"run {run}"
        model = self._models.get(run)
        parts = [f"· {model}"] if model else []
        return " ".join(parts + [f"run {run}"] * (len(self._runs[method, model]) > 1))

    def colour(self, method: str | None, run: int | None) -> int | None:
        """The number of the colour of a method in a run."""
        if method is None or run is None or (method, run) not in self._colours:
            return None
        return self._colours[method, run] % COLOURS


def _section(
    suite: str,
    tasks: Sequence[TaskEntry],
    metrics: Mapping[str, MetricEntry],
    leaderboard: Leaderboard,
    names: _Names,
) -> Section:
    verdicts = [verdict for verdict in leaderboard.verdicts if verdict.suite == suite]
    tables = tuple(
        Table(
            task,
            tuple(metrics[name] for name in task.columns),
            tuple(_groups(task, metrics[task.ranks_by].higher_is_better, leaderboard, names)),
            tuple(need for need in leaderboard.needs if need.task == task.name),
        )
        for task in tasks
    )
    return Section(suite, tables, tuple(remarks(verdicts, names.suffix)), len(verdicts))


def _groups(
    task: TaskEntry, higher_is_better: bool, leaderboard: Leaderboard, names: _Names
) -> Iterable[Group]:
    rows = [row for row in leaderboard.rows if row.task == task.name and row.kind != "reported"]
    protocols = dict.fromkeys(row.protocol for row in rows)
    for protocol in protocols:
        here = [row for row in rows if row.protocol == protocol]
        ranking = [row for row in here if row.metric == task.ranks_by]
        arenas = list(dict.fromkeys((row.identity, row.llm) for row in ranking))
        for identity, model in arenas:
            members = [row for row in ranking if (row.identity, row.llm) == (identity, model)]
            runs = sorted({row.run for row in members if row.run is not None})
            notes = []
            if len({one for one, _ in arenas}) > 1:
                which = " and ".join(f"run {run}" for run in runs)
                notes.append(f"{which}: other settings, data or seed, so ranked alone")
            if len({one for _, one in arenas}) > 1 and model:
                notes.append(f"language model {model}: ranked among themselves")
            note = "; ".join(notes)
            lines = [_line(row, here, task, leaderboard, names) for row in members]
            methods = [line for line in lines if not line.row.control]
            methods.sort(key=lambda line: _standing(line, higher_is_better))
            controls = sorted(
                _once(x for x in lines if x.row.control),
                key=lambda line: _place_of_control(line, task),
            )
            yield Group(protocol, note, tuple(methods), tuple(controls))


def _line(
    row: Row, here: Sequence[Row], task: TaskEntry, leaderboard: Leaderboard, names: _Names
) -> Line:
    others = {other.metric: other for other in here if other.line == row.line}
    method = row.of if row.control else row.method
    about = leaderboard.manifests[(row.run or 1) - 1].methods.get(method or "")
    control = task.controls.get(row.control or "")
    meaning = (control and control.meaning) if row.control else (about and about.summary)
    place = row.task, row.protocol, row.method, row.run
    return Line(
        row,
        tuple(others.get(metric) for metric in task.columns[1:]),
        row.method,
        names.suffix(method, row.run),
        names.colour(method, row.run),
        meaning or "",
        () if row.control else leaderboard.against_controls.get(place, ()),
        about is not None and row.control in about.controls,
    )


def _standing(line: Line, higher_is_better: bool) -> tuple[bool, int, int, float, str, int]:
    """Sorts lines: the best first, dashes last."""
    rank, value = line.row.rank, line.row.value
    low, high = (rank.low, rank.high) if rank else (0, 0)
    worth = (value or 0.0) * (-1 if higher_is_better else 1)
    return value is None, low, high, worth, line.label, line.row.run or 0


def _place_of_control(line: Line, task: TaskEntry) -> tuple[bool, bool, str, str, int]:
    """Sorts controls: those that need no method first, ceilings last."""
    row = line.row
    return (
        row.of is not None,
        row.control in task.ceilings,
        row.control or "",
        row.of or "",
        row.run or 0,
    )


def _once(lines: Iterable[Line]) -> Iterable[Line]:
    """Controls that need no method are the same in several runs, and are then listed once."""
    seen = set()
    for line in lines:
        same = (line.label, line.row.value, line.row.samples) if line.row.of is None else line.row
        if same not in seen:
            seen.add(same)
            yield line


def remarks(verdicts: Sequence[Verdict], suffix: Callable[[str, int], str]) -> Iterable[Remark]:
    """One remark for each method and all controls that it does not beat in the same places.

    `suffix` tells a method of a run from the same method of another.
    """
    pairs: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        label = f"{verdict.method} {suffix(verdict.method, verdict.run)}".strip()
        pairs[label, verdict.control].append(verdict)
    alike: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[str]] = defaultdict(list)
    for (method, control), found in sorted(pairs.items()):
        loses = _places([v for v in found if v.outcome == "loses"], found)
        ties = _places([v for v in found if v.outcome == "ties"], found)
        if loses or ties:
            alike[method, loses, ties].append(control)
    for (method, loses, ties), controls in alike.items():
        yield Remark(method, tuple(controls), loses, ties)


def _places(verdicts: Sequence[Verdict], compared: Sequence[Verdict]) -> tuple[str, ...]:
    """Tasks with their protocols in brackets: "inpainting (oracle_context)"."""
    protocols: dict[str, list[str]] = defaultdict(list)
    for verdict in verdicts:
        protocols[verdict.task] += [verdict.protocol] if verdict.protocol else []
    places = []
    for task, which in protocols.items():
        every = sum(verdict.task == task for verdict in compared)
        said = "every protocol" if len(which) == every > 1 else ", ".join(which)
        places.append(f"{task} ({said})" if which else task)
    return tuple(places)
