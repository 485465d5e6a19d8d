"""The comparison of two runs, from their manifests and records."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from frostbench.bench.comparison.contrast import (
    Common,
    Contrast,
    Spot,
    columns,
    common,
    contrast,
)
from frostbench.bench.comparison.sources import Subject, subjects
from frostbench.bench.statistics import Column, Inference, compare
from frostbench.bench.store.manifest import MetricEntry
from frostbench.bench.store.reader import StoredRun
from frostbench.bench.store.records import Record

Who = tuple[str | None, str | None]


@dataclass(frozen=True)
class RunComparison:
    """Two runs, the second compared with the first.

    `family` is the number of comparisons that were corrected together. `whole` says whether all
    metrics and controls were compared, or only methods under the ranking metric.
    """

    names: tuple[str, str]
    runs: tuple[StoredRun, StoredRun]
    subjects: tuple[Subject, ...]
    contrasts: tuple[Contrast, ...]
    family: int
    whole: bool
    inference: Inference

    def count(self, *outcomes: str) -> int:
        """How many contrasts have one of these outcomes."""
        return sum(one.outcome in outcomes for one in self.contrasts)

    @property
    def moved(self) -> tuple[Contrast, ...]:
        """The contrasts with any differing sample, those that are told apart first."""
        rank = {"better": 0, "worse": 0, "tied": 1}
        found = [one for one in self.contrasts if one.outcome in rank]
        return tuple(
            sorted(found, key=lambda one: (rank[one.outcome], one.test.p if one.test else 1))
        )


def compared_runs(
    one: StoredRun,
    two: StoredRun,
    names: tuple[str, str],
    *,
    methods: Mapping[str, str] | None = None,
    whole: bool = False,
    inference: Inference | None = None,
) -> RunComparison:
    """Compare the second run with the first, on the samples that are the same in both.

    `methods` are those to compare, each with its name in the second run; by default all that both
    have. Every comparison that is shown belongs to one family, corrected by Holm.

    Raises:
        LookupError: the two share no row.
    """
    settings, runs = inference or Inference(), (one, two)
    shared = {name: name for name in one.manifest.methods if name in two.manifest.methods}
    found = list(_common(runs, methods if methods is not None else shared, whole))
    if not found:
        raise LookupError(
            f"{names[0]} and {names[1]} share no method with a task: "
            f"{_told(one)}, and {_told(two)}."
        )
    looked: list[tuple[Common, MetricEntry, tuple[Column, Column] | None, str]] = []
    for spot in found:
        task = one.manifest.tasks[spot.spot.task]
        theirs = two.manifest.tasks[spot.spot.task].columns
        for name in task.columns if whole else (task.ranks_by,):
            if name in theirs:
                metric = one.manifest.metrics[name]
                looked.append((spot, metric, *columns(spot, runs, metric)))
    paired = [both for _, _, both, _ in looked if both is not None]
    # The second minus the first: the change.
    tests = iter(compare([(second, first) for first, second in paired], settings))
    contrasts = [
        contrast(spot, metric, both, next(tests) if both else None, reason, settings)
        for spot, metric, both, reason in looked
    ]
    return RunComparison(
        names,
        runs,
        subjects(one.manifest, two.manifest),
        tuple(contrasts),
        len(paired),
        whole,
        settings,
    )


def _told(run: StoredRun) -> str:
    manifest = run.manifest
    return (
        f"{', '.join(sorted(manifest.methods)) or 'none'} on {', '.join(manifest.tasks) or 'none'}"
    )


def _common(
    runs: tuple[StoredRun, StoredRun], methods: Mapping[str, str], whole: bool
) -> Iterator[Common]:
    before, after = (_by_row(run) for run in runs)
    one, two = (run.manifest for run in runs)
    for task in one.tasks.values():
        for protocol in task.ways if task.name in two.tasks else ():
            mine = before.get((task.name, protocol), {})
            theirs = after.get((task.name, protocol), {})
            for method, control in sorted(mine, key=_order):
                if control is not None and not whole:
                    continue
                if method is not None and method not in methods:
                    continue
                other = methods[method] if method is not None else None
                if (other, control) in theirs:
                    spot = Spot(task.suite, task.name, protocol, method, other, control)
                    yield common(spot, runs, mine[method, control], theirs[other, control])


def _by_row(
    run: StoredRun,
) -> Mapping[tuple[str, str | None], Mapping[Who, Mapping[str, Record]]]:
    found: dict[tuple[str, str | None], dict[Who, dict[str, Record]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for record in run.records():
        found[record.task, record.protocol][record.row][record.sample] = record
    return found


def _order(who: Who) -> tuple[bool, str, str]:
    method, control = who
    return control is not None, method or "", control or ""


def chosen(asked: Sequence[str], one: StoredRun, two: StoredRun) -> dict[str, str]:
    """Methods as they are asked for: "v2l", or "v2l:mine" where the second run has another name.

    Raises:
        LookupError: a run has no such method.
    """
    pairs = [name.partition(":") for name in asked]
    methods = {first: second if colon else first for first, colon, second in pairs}
    for names, run in ((methods, one), (methods.values(), two)):
        for name in names:
            if name not in run.manifest.methods:
                raise LookupError(
                    f"{run.folder} has no method named {name!r}; it has "
                    f"{', '.join(sorted(run.manifest.methods)) or 'none'}."
                )
    return methods
