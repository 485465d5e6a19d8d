"""From stored records to rows: values, intervals, rank ranges, and verdicts against controls."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from frostbench.bench.leaderboard.columns import column_of, is_asked, is_scored, mean_cost
from frostbench.bench.leaderboard.identity import row_identity
from frostbench.bench.leaderboard.imported import as_imported, ranked_together
from frostbench.bench.leaderboard.preservation import preserved
from frostbench.bench.leaderboard.reported import reported
from frostbench.bench.leaderboard.rows import Leaderboard, Need, Row, Verdict
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
from frostbench.bench.store.manifest import MetricEntry, TaskEntry
from frostbench.bench.store.reader import StoredRun
from frostbench.bench.store.records import Record

Who: TypeAlias = tuple[str | None, str | None]
Arena: TypeAlias = tuple[str, str, str | None, str, str, str | None]


@dataclass(frozen=True)
class Entry:
    """A row with the column behind it, None where it has no value."""

    row: Row
    column: Column | None
    metric: MetricEntry
    ranks: bool
    ceiling: bool = False

    @property
    def arena(self) -> Arena:
        """Entries of one arena are ranked together."""
        row = self.row
        return row.suite, row.task, row.protocol, row.metric, row.identity or "", row.llm


def build(runs: Sequence[StoredRun], inference: Inference | None = None) -> Leaderboard:
    """The leaderboard of one or more runs; the same records give the same numbers.

    Rows are ranked together across runs where task, settings, data, seed, language model and the
    metric's identity agree, on the samples that both scored. A method that stands in several runs
    has a row for each.

    Raises:
        ValueError: there is no run.
    """
    if not runs:
        raise ValueError("a leaderboard needs at least one run; there is none.")
    settings = inference or Inference()
    manifests = tuple(run.manifest for run in runs)
    models = language_models(manifests)
    entries: list[Entry] = []
    for number, run in enumerate(runs, start=1):
        entries += (
            replace(entry, row=replace(entry.row, llm=models[number - 1]))
            for entry in _entries(number, run, settings)
        )
    ranked, needs = _ranked(entries, settings)
    methods = {method for manifest in manifests for method in manifest.methods}
    return Leaderboard(
        rows=(*ranked, *(row for row in reported() if row.method in methods)),
        verdicts=tuple(_verdicts(entries, settings)),
        manifests=manifests,
        inference=settings,
        preserved=preserved(runs),
        needs=tuple(needs),
    )


def _entries(number: int, run: StoredRun, inference: Inference) -> Iterable[Entry]:
    manifest = run.manifest
    found: dict[tuple[str, str | None], dict[Who, list[Record]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for record in run.records():
        found[record.task, record.protocol][record.row].append(record)
    for task in manifest.tasks.values():
        for protocol in task.ways:
            rows = found.get((task.name, protocol), {})
            asked = frozenset(one.sample for several in rows.values() for one in several)
            missing = [
                (method, None) for method in sorted(manifest.methods) if (method, None) not in rows
            ]
            for who in sorted([*rows, *missing], key=_order):
                records = sorted(rows.get(who, []), key=lambda record: record.sample)
                for name in task.columns if records else (task.ranks_by,):
                    metric = manifest.metrics[name]
                    place = _Place(number, run, task, protocol, metric, asked)
                    yield _entry(place, who, records, inference)


@dataclass(frozen=True)
class _Place:
    """Where an entry belongs."""

    number: int
    run: StoredRun
    task: TaskEntry
    protocol: str | None
    metric: MetricEntry
    samples: frozenset[str]


def _entry(place: _Place, who: Who, records: Sequence[Record], inference: Inference) -> Entry:
    method, control = who
    manifest, task, metric = place.run.manifest, place.task, place.metric
    scored = [record for record in records if is_scored(record, metric)]
    column = column_of(place.run, scored, metric) if scored else None
    estimate = estimated(column, inference) if column is not None else None
    row = Row(
        kind="control" if control else "measured",
        method=_label(method, control),
        suite=task.suite,
        task=task.name,
        protocol=place.protocol,
        metric=metric.id,
        value=estimate.value if estimate else None,
        low=estimate.low if estimate else None,
        high=estimate.high if estimate else None,
        interval=estimate.interval.how if estimate else None,
        samples=len(scored),
        failed=sum(one not in scored and is_asked(one, metric) for one in records),
        cost=mean_cost(scored),
        reason=None if estimate else _reason(place, method, records, scored),
        control=control,
        of=method if control else None,
        run=place.number,
        identity=row_identity(manifest, task, metric, place.samples),
        adapter=control is None and manifest.has_adapter(method, task.name),
    )
    row = as_imported(row) if manifest.imported else row
    ranks, ceiling = metric.id == task.ranks_by, control in task.ceilings
    return Entry(row, column if estimate else None, metric, ranks, ceiling)


def _reason(
    place: _Place, method: str | None, records: Sequence[Record], scored: Sequence[Record]
) -> str:
    """Why there is no value."""
    manifest = place.run.manifest
    if scored and place.metric.pooling == "average_precision":
        return f"the images of {len(scored)} scored samples show nothing that counts in it."
    if records and place.metric.pooling == "whole" and any(r.status == "scored" for r in records):
        return f"{place.metric.id} is a number of all samples, of which there is none."
    if scored and place.metric.counted:
        return f"the counts of {len(scored)} scored samples sum to no value of {place.metric.id}."
    if scored:
        return f"{len(scored)} scored sample is too few for {place.metric.id}."
    if records:
        errors = sorted({record.error for record in records if record.error})
        first = (
            f": {brief(errors[0])}" if errors else f": none has a score under {place.metric.id}."
        )
        return f"all {len(records)} samples failed{first}"
    dash = manifest.dash(method, place.task.name)
    if dash:
        return dash
    about = manifest.methods.get(method or "")
    if about is not None and about.status == "failed":
        return f"the method failed: {brief(about.error or 'it does not say why.')}"
    return f"no sample is stored; the run is {manifest.status}."


def _ranked(entries: Sequence[Entry], inference: Inference) -> tuple[list[Row], list[Need]]:
    """The rows with their ranks, arena by arena in the order in which the runs name them.

    All pairs of methods of an arena are one family of comparisons.
    """
    arenas: dict[Arena, list[int]] = defaultdict(list)
    for index, entry in enumerate(entries):
        arenas[entry.arena].append(index)
    rows: list[Row] = []
    needs: list[Need] = []
    for members in arenas.values():
        several = [(index, entries[index].row.kind, entries[index].column) for index in members]
        columns = ranked_together(
            {index: (kind, column) for index, kind, column in several if column is not None}
        )
        first = entries[members[0]]
        better = first.metric.higher_is_better
        found = ranking(columns, higher_is_better=better, inference=inference)
        for index in members:
            rank, entry = found.ranks.get(index), entries[index]
            leads = rank is not None and rank.high == 1 and len(found.ranks) > 1
            best = leads and entry.metric.direction != "neither"
            rows.append(replace(entry.row, rank=rank if entry.ranks else None, best=best))
        if first.ranks and found.fewest and not found.tells_apart:
            needs.append(_need(first.row, found, entries))
    return rows, needs


def _need(row: Row, found: Ranking[int], entries: Sequence[Entry]) -> Need:
    easiest, pair = None, None
    if found.easiest is not None:
        one, two, easiest = found.easiest
        pair = entries[one].row.method, entries[two].row.method
    return Need(row.task, row.protocol, found.samples, found.clusters, found.fewest, easiest, pair)


def _verdicts(entries: Sequence[Entry], inference: Inference) -> Iterable[Verdict]:
    """Each method against each of its controls but the ceilings, within its own run.

    The controls of a method in an arena are one family of comparisons.
    """
    ranks = [entry for entry in entries if entry.ranks and entry.column is not None]
    controls: Mapping[tuple[int | None, Arena], list[Entry]] = defaultdict(list)
    for entry in ranks:
        if entry.row.control and not entry.ceiling:
            controls[entry.row.run, entry.arena].append(entry)
    for entry in ranks:
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
                yield _verdict(entry, control, found, found.difference)


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
    )


def _label(method: str | None, control: str | None) -> str:
    if control is None:
        return method or ""
    return control if method is None else f"{control}[{method}]"


def _order(who: Who) -> tuple[bool, str, str]:
    """Methods first by name, then controls by name, those without a method before the others."""
    method, control = who
    return control is not None, control or "", method or ""
