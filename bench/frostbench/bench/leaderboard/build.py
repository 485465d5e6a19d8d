"""From stored records to rows: values, intervals, rank ranges, and verdicts against controls."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

from frostbench.bench.leaderboard.columns import asked, column_of, mean_cost, scored
from frostbench.bench.leaderboard.identity import row_identity
from frostbench.bench.leaderboard.imported import as_imported, ranked_together
from frostbench.bench.leaderboard.preservation import Preserved, preserved
from frostbench.bench.leaderboard.reported import reported
from frostbench.bench.leaderboard.rows import (
    Leaderboard,
    MeanCost,
    Need,
    Row,
    Verdict,
)
from frostbench.bench.leaderboard.swap import language_models
from frostbench.bench.printable import brief
from frostbench.bench.statistics import (
    Column,
    Estimate,
    Inference,
    PairTest,
    Ranking,
    compare,
    estimated,
    ranking,
)
from frostbench.bench.store.chunks import Places
from frostbench.bench.store.manifest import Manifest, MetricEntry, TaskEntry
from frostbench.bench.store.reader import StoredRun
from frostbench.bench.store.tables import NO_PLACES, SampleTable, Who

Arena: TypeAlias = tuple[str, str, str | None, str, str, str | None]
Position: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True)
class Entry:
    """A row with its column of scores (None if it has no value), and its task's place."""

    row: Row
    column: Column | None
    metric: MetricEntry
    ranks: bool
    place: int
    ceiling: bool = False

    @property
    def arena(self) -> Arena:
        """Entries of one arena are ranked together."""
        row = self.row
        return row.suite, row.task, row.protocol, row.metric, row.identity or "", row.llm


def build(runs: Sequence[StoredRun], inference: Inference | None = None) -> Leaderboard:
    """Build the leaderboard of one or more runs; the same records give the same numbers.

    Rows are ranked together across runs where task, settings, data, seed, language model and the
    metric's identity agree, on the samples that both scored. A method of several runs has a row for
    each.

    Raises:
        ValueError: there is no run.
    """
    if not runs:
        raise ValueError("a leaderboard needs at least one run; there is none.")
    settings = inference or Inference()
    manifests = tuple(run.manifest for run in runs)
    models = language_models(manifests)
    tables = [run.tables() for run in runs]
    arenas: list[_Ranked] = []
    verdicts: list[tuple[Position, Verdict]] = []
    kept: list[tuple[tuple[int, str, int], Preserved]] = []
    # Only the columns of one task and protocol are held at a time, since there may be millions of
    # samples.
    for ways in _ways(manifests).values():
        entries: list[Entry] = []
        for number, place, task, protocol in ways:
            table = tables[number - 1].table(task.name, protocol)
            spot = _Spot(number, place, runs[number - 1], task, protocol, table)
            same = preserved(table, task, protocol, number)
            kept += (((number, one.method, place), one) for one in same)
            for entry in _entries(spot, settings):
                row = replace(entry.row, llm=models[number - 1])
                entries.append(replace(entry, row=row))
        arenas += _ranked(entries, settings)
        verdicts += _verdicts(entries, settings)
    arenas.sort(key=lambda arena: arena.place)
    verdicts.sort(key=lambda pair: pair[0])
    ranked = [row for arena in arenas for row in arena.rows]
    methods = {method for manifest in manifests for method in manifest.methods}
    return Leaderboard(
        rows=(*ranked, *(row for row in reported() if row.method in methods)),
        verdicts=tuple(verdict for _, verdict in verdicts),
        manifests=manifests,
        inference=settings,
        preserved=tuple(one for _, one in sorted(kept, key=lambda pair: pair[0])),
        needs=tuple(arena.need for arena in arenas if arena.need is not None),
        limits=sum(arena.limits for arena in arenas) + sum(not one.drawn for _, one in verdicts),
    )


def _ways(
    manifests: Sequence[Manifest],
) -> Mapping[tuple[str, str | None], list[tuple[int, int, TaskEntry, str | None]]]:
    """For each task and protocol the runs that have it: their number, and its place in them."""
    found: dict[tuple[str, str | None], list[tuple[int, int, TaskEntry, str | None]]] = {}
    for number, manifest in enumerate(manifests, start=1):
        ways = [(task, protocol) for task in manifest.tasks.values() for protocol in task.ways]
        for place, (task, protocol) in enumerate(ways):
            found.setdefault((task.name, protocol), []).append((number, place, task, protocol))
    return found


@dataclass(frozen=True, eq=False)
class _Spot:
    """A task and protocol of a run, with its samples."""

    number: int
    place: int
    run: StoredRun
    task: TaskEntry
    protocol: str | None
    table: SampleTable

    @cached_property
    def checked(self) -> str | None:
        """Which checks it passed; see `StoredRun.checked`."""
        return self.run.checked(self.task.name, self.protocol)

    @cached_property
    def samples(self) -> frozenset[str]:
        """The samples that any row was asked."""
        return frozenset(self.table.samples(self.table.every))


def _entries(spot: _Spot, inference: Inference) -> Iterable[Entry]:
    manifest, task, table = spot.run.manifest, spot.task, spot.table
    missing = [
        (method, None) for method in sorted(manifest.methods) if (method, None) not in table.rows
    ]
    metrics = [manifest.metrics[name] for name in dict.fromkeys((*task.columns, task.ranks_by))]
    masks = {metric.id: (scored(table, metric), asked(table, metric)) for metric in metrics}
    costs: dict[bytes, MeanCost | None] = {}
    for who in sorted([*table.rows, *missing], key=_order):
        places = table.rows.get(who, NO_PLACES)
        for name in task.columns if len(places) else (task.ranks_by,):
            metric = manifest.metrics[name]
            has, wanted = masks[name]
            mine = places[has[places]]
            # Most metrics of a task score the same samples.
            known = mine.tobytes()
            if known not in costs:
                costs[known] = mean_cost(table, mine)
            failed = int((wanted[places] & ~has[places]).sum())
            yield _entry(spot, who, metric, mine, failed, costs[known], inference)


def _entry(
    spot: _Spot,
    who: Who,
    metric: MetricEntry,
    places: Places,
    failed: int,
    cost: MeanCost | None,
    inference: Inference,
) -> Entry:
    method, control = who
    manifest, task, table = spot.run.manifest, spot.task, spot.table
    column = column_of(spot.run, table, places, metric) if len(places) else None
    estimate = estimated(column, inference) if column is not None else None
    row = Row(
        kind="control" if control else "measured",
        method=_label(method, control),
        suite=task.suite,
        task=task.name,
        protocol=spot.protocol,
        metric=metric.id,
        value=estimate.value if estimate else None,
        low=estimate.low if estimate else None,
        high=estimate.high if estimate else None,
        interval=estimate.interval.how if estimate else None,
        samples=len(places),
        failed=failed,
        cost=cost,
        reason=None if estimate else _reason(spot, who, metric, places),
        control=control,
        of=method if control else None,
        run=spot.number,
        identity=row_identity(manifest, task, metric, lambda: spot.samples),
        adapter=control is None and manifest.has_adapter(method, task.name),
        checked=spot.checked,
    )
    row = as_imported(row) if manifest.imported else row
    ranks, ceiling = metric.id == task.ranks_by, control in task.ceilings
    return Entry(row, column if estimate else None, metric, ranks, spot.place, ceiling)


def _reason(spot: _Spot, who: Who, metric: MetricEntry, places: Places) -> str:
    """Why there is no value."""
    manifest, table = spot.run.manifest, spot.table
    every, count, method = table.rows.get(who, NO_PLACES), len(places), who[0]
    if count and metric.pooling == "average_precision":
        return f"the images of {count} scored samples show nothing that counts in it."
    if metric.pooling == "whole" and table.scored[every].any():
        return f"{metric.id} is a number of all samples, and there is none."
    if count and metric.counted:
        return f"the counts of {count} scored samples sum to no value of {metric.id}."
    if count:
        return f"{count} scored sample is too few for {metric.id}."
    if len(every):
        errors = table.errors(every)
        first = f": {brief(errors[0])}" if errors else f": none has a score under {metric.id}."
        return f"all {len(every)} samples failed{first}"
    dash = manifest.dash(method, spot.task.name)
    if dash:
        return dash
    about = manifest.methods.get(method or "")
    if about is not None and about.status == "failed":
        return f"the method failed: {brief(about.error or 'it does not say why.')}"
    return f"no sample is stored; the run is {manifest.status}."


@dataclass(frozen=True)
class _Ranked:
    """The rows of an arena with their ranks, and its place among others."""

    place: Position
    rows: Sequence[Row]
    need: Need | None
    limits: int


def _ranked(entries: Sequence[Entry], inference: Inference) -> Iterable[_Ranked]:
    """The rows with their ranks, arena by arena.

    All pairs of methods of an arena are one family of comparisons.
    """
    arenas: dict[Arena, list[int]] = defaultdict(list)
    for index, entry in enumerate(entries):
        arenas[entry.arena].append(index)
    for members in arenas.values():
        several = [(index, entries[index].row.kind, entries[index].column) for index in members]
        columns = ranked_together(
            {index: (kind, column) for index, kind, column in several if column is not None}
        )
        first = entries[members[0]]
        better = first.metric.higher_is_better
        found = ranking(columns, higher_is_better=better, inference=inference)
        rows = []
        for index in members:
            rank, entry = found.ranks.get(index), entries[index]
            leads = rank is not None and rank.high == 1 and len(found.ranks) > 1
            best = leads and entry.metric.direction != "neither"
            rows.append(replace(entry.row, rank=rank if entry.ranks else None, best=best))
        undecided = first.ranks and found.fewest and not found.tells_apart
        need = _need(first.row, found, entries) if undecided else None
        yield _Ranked((first.row.run or 1, first.place, members[0]), rows, need, found.limits)


def _need(row: Row, found: Ranking[int], entries: Sequence[Entry]) -> Need:
    easiest, pair = None, None
    if found.easiest is not None:
        one, two, easiest = found.easiest
        pair = entries[one].row.method, entries[two].row.method
    return Need(row.task, row.protocol, found.samples, found.clusters, found.fewest, easiest, pair)


def _verdicts(entries: Sequence[Entry], inference: Inference) -> Iterable[tuple[Position, Verdict]]:
    """Each method against each of its controls except the ceilings, within its own run.

    The controls of a method in an arena are one family of comparisons.
    """
    ranks = [entry for entry in entries if entry.ranks and entry.column is not None]
    controls: Mapping[tuple[int | None, Arena], list[Entry]] = defaultdict(list)
    for entry in ranks:
        if entry.row.control and not entry.ceiling:
            controls[entry.row.run, entry.arena].append(entry)
    for number, entry in enumerate(ranks):
        if entry.row.kind != "measured":
            continue
        against = [
            control
            for control in controls[entry.row.run, entry.arena]
            if control.row.of in (None, entry.row.method)
        ]
        pairs = [
            (entry.column, control.column)
            for control in against
            if entry.column is not None and control.column is not None
        ]
        for control, found in zip(against, compare(pairs, inference), strict=True):
            if found.difference is not None:
                place = entry.row.run or 1, entry.place, number
                yield place, _verdict(entry, control, found, found.difference)


def _verdict(entry: Entry, control: Entry, found: PairTest, apart: Estimate) -> Verdict:
    turn = 1 if entry.metric.higher_is_better else -1
    low, high = (apart.low, apart.high) if turn == 1 else (apart.high, apart.low)
    row = entry.row
    return Verdict(
        method=row.method,
        control=control.row.control or "",
        suite=row.suite,
        task=row.task,
        protocol=row.protocol,
        metric=row.metric,
        run=row.run or 1,
        difference=turn * apart.value,
        low=None if low is None else turn * low,
        high=None if high is None else turn * high,
        p=found.p,
        samples=apart.samples,
        outcome=("loses", "ties", "beats")[1 + turn * found.sign],
        drawn=found.drawn,
    )


def _label(method: str | None, control: str | None) -> str:
    if control is None:
        return method or ""
    return control if method is None else f"{control}[{method}]"


def _order(who: Who) -> tuple[bool, str, str]:
    """Methods first by name, then controls by name, those without a method before the others."""
    method, control = who
    return control is not None, control or "", method or ""
