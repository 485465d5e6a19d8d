"""Same tokenizer, other language model: how a method's values change between such runs."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from frostbench.bench.leaderboard.numbers import Format, count, format_of
from frostbench.bench.leaderboard.rows import Leaderboard, Row
from frostbench.bench.store.manifest import BackboneFacts, Manifest, MethodEntry, MetricEntry

TITLE = "Same tokenizer, other LLM"


@dataclass(frozen=True)
class SwapLine:
    """A method with one tokenizer: its row under each language model, None where there is none."""

    method: str
    cells: tuple[Row | None, ...]


@dataclass(frozen=True)
class Swap:
    """One task and protocol under its ranking metric, on the same samples for every cell."""

    task: str
    protocol: str | None
    metric: MetricEntry
    lines: tuple[SwapLine, ...]

    @property
    def form(self) -> Format:
        """How the values are shown."""
        cells = [cell for line in self.lines for cell in line.cells]
        return format_of(self.metric, [cell.value if cell else None for cell in cells])


@dataclass(frozen=True)
class Swaps:
    """All of them. `models` are the names across, with how many numbers each one holds."""

    models: tuple[tuple[str, str], ...]
    tables: tuple[Swap, ...]
    notes: tuple[str, ...]


def language_models(manifests: Sequence[Manifest]) -> tuple[str | None, ...]:
    """Each run's language model, by a name that distinguishes it from the others.

    None for all where the runs do not differ in it, and for a run that loaded none.
    """
    used = [manifest.backbones.get("llm") for manifest in manifests]
    known = {about.sha256_before: about for about in used if about}
    if len(known) < 2:
        return (None,) * len(manifests)
    names: dict[str, str] = {}
    for parts in (1, 2, 3):
        names = {sha: _name(about, parts) for sha, about in known.items()}
        if len(set(names.values())) == len(names):
            break
    return tuple(names[about.sha256_before] if about else None for about in used)


def swaps(leaderboard: Leaderboard) -> Swaps:
    """The methods that ran under several language models with one tokenizer.

    A method's tokenizer is the same in two runs whose fingerprints or weights agree; fewer of a
    codebook's words may be tokens of the other model, as its notes then say.
    """
    named = language_models(leaderboard.manifests)
    models = tuple(dict.fromkeys(name for name in named if name is not None))
    groups = [
        (method, runs)
        for method, runs in _tokenizers(leaderboard.manifests)
        if len({named[run - 1] for run in runs} - {None}) > 1
    ]
    tables = list(_tables(leaderboard, groups, models))
    notes = [
        f"{method} · {named[run - 1]}: {sentence}"
        for method, runs in groups
        for run in runs
        for sentence in leaderboard.manifests[run - 1].methods[method].notes
    ]
    sizes = {
        name: manifest.backbones["llm"].parameters
        for name, manifest in zip(named, leaderboard.manifests, strict=True)
        if name is not None
    }
    heads = tuple((name, count(sizes[name])) for name in models)
    return Swaps(heads if tables else (), tuple(tables), tuple(dict.fromkeys(notes)))


def _tables(
    leaderboard: Leaderboard, groups: Sequence[tuple[str, Sequence[int]]], models: Sequence[str]
) -> Iterable[Swap]:
    manifests = leaderboard.manifests
    metrics = {name: metric for one in manifests for name, metric in one.metrics.items()}
    firsts = {(task.name, task.ranks_by) for one in manifests for task in one.tasks.values()}
    ranking: dict[tuple[str, str | None, str, str | None], list[Row]] = defaultdict(list)
    for row in leaderboard.rows:
        if row.kind == "measured" and (row.task, row.metric) in firsts and row.value is not None:
            ranking[row.task, row.protocol, row.metric, row.identity].append(row)
    for (task, protocol, metric, _), rows in ranking.items():
        lines = []
        for method, runs in groups:
            mine = {row.llm: row for row in rows if row.method == method and row.run in runs}
            if len(mine) > 1:
                lines.append(SwapLine(method, tuple(mine.get(model) for model in models)))
        if lines:
            yield Swap(task, protocol, metrics[metric], tuple(lines))


def _tokenizers(manifests: Sequence[Manifest]) -> list[tuple[str, list[int]]]:
    """Methods with the numbers of the runs in which their tokenizer is the same."""
    groups: list[tuple[str, list[int]]] = []
    for run, manifest in enumerate(manifests, start=1):
        for method, about in sorted(manifest.methods.items()):
            for name, runs in groups:
                if name == method and _same(about, manifests[runs[0] - 1].methods[name]):
                    runs.append(run)
                    break
            else:
                groups.append((method, [run]))
    return groups


def _same(one: MethodEntry, other: MethodEntry) -> bool:
    """Whether two entries of a method have one tokenizer: by fingerprint, or by weights.

    An adapter, which belongs to one language model, is among the weights under that one alone.
    """
    if one.settings != other.settings:
        return False
    if one.fingerprint and one.fingerprint == other.fingerprint:
        return True
    mine, theirs = set(one.weights.items()), set(other.weights.items())
    return bool(mine and theirs) and (mine <= theirs or theirs <= mine)


def _name(about: BackboneFacts, parts: int) -> str:
    """A backbone's name: its source, then its dtype, then its checksum, as far as is needed."""
    name = about.source.rstrip("/").rpartition("/")[2] or "llm"
    return " ".join([name, about.dtype, about.sha256_before[:6]][:parts])
