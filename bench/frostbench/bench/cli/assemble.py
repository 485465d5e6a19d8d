"""From a configuration to a plan: every name looked up, every setting checked, nothing executed."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from frostbench.bench.cli.config import RunConfig, UsageError, own_settings
from frostbench.bench.cli.origins import files_outside, origins_of
from frostbench.bench.runner.plan import (
    Plan,
    PlannedMethod,
    PlannedTask,
    Provenance,
)
from frostbench.bench.store.manifest import Origin, PackEntry
from frostbench.bench.store.records import Record
from frostbench.plugins.contract.cards import Card, TaskCard
from frostbench.plugins.contract.control import Control, all_controls
from frostbench.plugins.contract.engine import Engine
from frostbench.plugins.contract.method import Method, Setup
from frostbench.plugins.contract.metric import Metric, MetricContext
from frostbench.plugins.contract.task import Task
from frostbench.plugins.host.errors import missing
from frostbench.plugins.host.identity import code_identity, named_files
from frostbench.plugins.host.packs import Pack, embedded_pack, read_pack
from frostbench.plugins.host.registry import Host, Registered
from frostbench.plugins.host.settings import read_settings


@dataclass(frozen=True)
class HostObserver:
    """Plugins that watch a run, called through the host's hooks."""

    host: Host
    folder: Path

    def started(self, manifest: Mapping[str, Any]) -> None:
        """Tell every plugin that the run begins or resumes."""
        self.host.notify("frostbench_run_started", manifest=manifest)

    def scored(self, record: Record) -> Mapping[str, float] | None:
        """Collect the extra columns of all plugins."""
        answers = self.host.notify("frostbench_sample_scored", sample=record.to_json())
        columns: dict[str, float] = {}
        for answer in answers:
            columns.update(answer)
        return columns or None

    def finished(self, manifest: Mapping[str, Any]) -> None:
        """Tell every plugin that the run is complete."""
        self.host.notify("frostbench_run_finished", folder=str(self.folder))


def assemble(config: RunConfig, host: Host) -> Plan:
    """The plan of a run.

    Raises:
        LookupError: a name is not there; the message lists what there is.
        UsageError: keys contradict each other.
        ValueError: a pack or a setting is wrong.
    """
    pack = find_pack(config.pack, host)
    methods = choose_methods(config, host, pack)
    tasks = choose_tasks(config, host)
    backbones = open_backbones(config, host, pack)
    # Preflight and all tasks read one open data set.
    data = cache(partial(_open_data, host, pack))
    planned = tuple(_task(config, data, item) for item in tasks)
    cards = {item.task.card.name: item.task.card.metrics for item in planned}
    metrics_again = partial(open_metrics, config, host, backbones, metrics_of(host, cards))
    engine_again = partial(open_engine, config, host, backbones)
    metrics = metrics_again()
    kinds = sorted({entry.kind for entry in backbones.entries.values()})
    origins = origins_of(config, host, methods, planned, metrics, kinds)
    return Plan(
        out=Path(config.out),
        methods=tuple(
            plan_method(config, pack, backbones, item, origins["method"][item.name])
            for item in methods
        ),
        tasks=planned,
        metrics=metrics,
        engine=engine_again(),
        backbones=backbones,
        facts=Provenance(
            version("frostbench"),
            PackEntry(pack.name, pack.summary, pack.digest),
            {name: pack.digest_of(pack.data[name]) for name in _data_of(planned, pack)},
            files_outside(config, pack, backbones.entries),
            origins,
        ),
        tokens=Path(config.cache) if config.cache else _cache_folder(),
        config=_plain(config),
        controls=open_controls(host) if config.controls else None,
        observers=(HostObserver(host, Path(config.out)),),
        seed=config.seed,
        device=config.device,
        limit=config.limit,
        chunk=config.chunk,
        gallery=config.gallery,
        retry_failed=config.retry_failed,
        again=config.again,
        replaced={} if config.llm is None else {"llm": _language_models(pack)},
        renew=lambda: (engine_again(), metrics_again()),
    )


def open_controls(host: Host) -> dict[str, Control]:
    """All controls, also those of methods that do not run: a task may name them all the same."""
    offered = (Control(item.card, item.load()) for item in host.controls.values())
    return all_controls(offered, (item.card for item in host.methods.values()))


def find_pack(name: str, host: Host) -> Pack:
    """The pack of a name that a plugin offers, or in a folder."""
    if Path(name).is_dir():
        return read_pack(Path(name))
    if name in host.packs:
        folder = Path(host.packs[name].card.folder)
        return read_pack(folder if folder.is_absolute() else embedded_pack(name))
    raise LookupError(missing("pack", name, host.packs) + " A folder with a pack.json works too.")


def choose_methods(config: RunConfig, host: Host, pack: Pack) -> list[Registered[Card]]:
    """The methods that were asked for; without a word, all that the pack can serve.

    Those are the methods that it has an entry for, those that have nothing trained, and those
    whose weights the user names.
    """
    if config.methods:
        return [host.pick("method", name) for name in config.methods]
    served = [
        item
        for name, item in host.methods.items()
        if name in pack.methods
        or not item.card.trained
        or "weights" in own_settings(config.method, name, "method")
    ]
    if not served:
        raise UsageError(
            f"the pack {pack.name!r} serves none of the installed methods "
            f"({', '.join(host.methods) or 'none'}); name some with methods=..."
        )
    return served


def choose_tasks(config: RunConfig, host: Host) -> list[Registered[TaskCard]]:
    """The tasks that were asked for by name or by suite; without a word, all."""
    suites = {item.card.suite for item in host.tasks.values()}
    for suite in config.suites:
        if suite not in suites:
            raise LookupError(missing("suite", suite, suites))
    for limited in config.limits:
        if limited not in suites | set(host.tasks):
            raise LookupError(missing("suite or task", str(limited), suites | set(host.tasks)))
    for kind, tree, known in (
        ("method", config.method, host.methods),
        ("task", config.task, host.tasks),
    ):
        for name in tree:
            if name not in known:
                raise LookupError(missing(kind, str(name), known))
    chosen = [host.pick("task", name) for name in config.tasks] or list(host.tasks.values())
    chosen = [item for item in chosen if not config.suites or item.card.suite in config.suites]
    if not chosen:
        raise UsageError(
            f"no task of {', '.join(config.tasks)} is in {', '.join(config.suites)}; "
            "leave one of the two keys out."
        )
    return chosen


def open_backbones(config: RunConfig, host: Host, pack: Pack) -> Any:
    """The pack's shared backbones, with the language model that was asked for; none is loaded."""
    from frostbench.plugins.backbones import SharedBackbones

    entries = dict(pack.backbones)
    if config.llm is not None:
        entries["llm"] = pack.language_model(config.llm)
    if config.dtype and "llm" in entries:
        entries["llm"] = dataclasses.replace(entries["llm"], dtype=config.dtype)
    kinds = {name: item.load() for name, item in host.backbones.items()}
    return SharedBackbones(entries.values(), config.device, kinds)


def _language_models(pack: Pack) -> str:
    """What else there is, for whoever named a language model that does not work."""
    own = ["its own", *pack.alternatives.get("llm", {})] if "llm" in pack.backbones else []
    return f"The pack {pack.name!r} has {', '.join(own)}." if len(own) > 1 else ""


def metrics_of(host: Host, tasks: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The ids of tasks' own metrics, by task, and after them of those whose facts name the task.

    Raises:
        LookupError: a metric's facts name a task that is not installed.
    """
    named: dict[str, list[str]] = {task: list(own) for task, own in tasks.items()}
    for name, item in host.metrics.items():
        for task in item.card.tasks:
            if task not in host.tasks:
                raise LookupError(f"metric {name!r}: " + missing("task", task, host.tasks))
            if name not in named.get(task, [name]):
                named[task].append(name)
    return named


def open_metrics(
    config: RunConfig, host: Host, backbones: Any, tasks: Mapping[str, Sequence[str]]
) -> dict[str, Metric]:
    """The metrics of tasks, by id; those of published networks read local weight files."""
    known = {item.card.weights for item in host.metrics.values()} - {""}
    for name in config.metric_weights:
        if name not in known:
            raise LookupError(missing("network of a metric", str(name), known))
    context = MetricContext(
        backbones, {key: Path(value) for key, value in config.metric_weights.items()}
    )
    metrics = {}
    for name in dict.fromkeys(name for own in tasks.values() for name in own):
        item = host.pick("metric", name)
        metrics[name] = Metric.made(item.card, item.load(), context)
    return metrics


def open_engine(config: RunConfig, host: Host, backbones: Any) -> Engine:
    """What answers prompts, over the shared backbones."""
    settings = dict(config.engine)
    name = str(settings.pop("name", "frozen"))
    engine: Engine = host.pick("engine", name).load()(backbones, settings)
    return engine


def plan_method(
    config: RunConfig,
    pack: Pack,
    backbones: Any,
    item: Registered[Card],
    origin: Origin | None = None,
) -> PlannedMethod:
    """A method with its settings and weights, the pack's or the user's; it is not built yet."""
    entry = pack.method(item.name)
    own = dict(own_settings(config.method, item.name, "method"))
    weights = {} if entry.weights is None else dict(pack.digests_of(entry.weights))
    kept = config.llm is None
    if "weights" in own:
        place = Path(item.name) if entry.weights is None else entry.weights
        folder = _own_weights(item.name, own.pop("weights"))
        given = dict(pack.digests_of(folder, place))
        kept, weights = kept and given == weights, given
        entry = dataclasses.replace(entry, weights=folder)
    # An adapter fits the language model and the weights that it was trained beside, and no other.
    entry = entry if kept else dataclasses.replace(entry, adapters={})
    for folder in entry.adapters.values():
        weights |= pack.digests_of(folder)
    settings = {**entry.settings, **own}
    weights |= named_files(settings, f"method.{item.name}")
    setup = Setup(backbones, entry.weights, settings, config.device, entry.adapters)
    made_by = {} if origin is None else dataclasses.asdict(origin)
    identity = code_identity(made_by, weights, settings)
    return PlannedMethod(item.card, partial(_build, item, setup), settings, weights, identity)


def _own_weights(method: str, given: object) -> Path:
    """The folder of `method.NAME.weights=FOLDER`.

    Raises:
        UsageError: it is no folder, or holds no file.
    """
    folder = Path(str(given))
    if not folder.is_dir() or not any(path.is_file() for path in folder.rglob("*")):
        raise UsageError(f"method.{method}.weights={given}: there is no folder with files.")
    return folder


def _build(item: Registered[Card], setup: Setup) -> Method:
    method = item.load().build(setup)
    if not isinstance(method, Method):
        raise TypeError(f"{item.name!r} ({item.file}) built no Method but {method!r}.")
    return method


def _task(config: RunConfig, data: Callable[[str], Any], item: Registered[TaskCard]) -> PlannedTask:
    kind: type[Task] = item.load()
    own = own_settings(config.task, item.name, "task")
    settings: Any = read_settings(kind.settings, own, f"task.{item.name}")
    suite = item.card.suite
    limits = config.limits
    limit = config.limit if config.limit is not None else limits.get(item.name, limits.get(suite))
    if limit is None:
        raise UsageError(f"how many samples of {item.name!r}? Set limit=N or limits.{suite}=N.")
    if limit < 1:
        raise UsageError(f"limit={limit}: at least one sample is needed.")
    task = kind(settings)
    return PlannedTask(task, partial(data, task.data), limit, dataclasses.asdict(settings))


def _open_data(host: Host, pack: Pack, name: str) -> Any:
    if name not in pack.data:
        raise LookupError(missing(f"data set in the pack {pack.name!r}", name, pack.data))
    return host.pick("data set", name).load()(pack.data[name])


def _data_of(tasks: Iterable[PlannedTask], pack: Pack) -> list[str]:
    """The data sets that tasks read, as far as the pack has them."""
    return sorted({item.task.data for item in tasks} & set(pack.data))


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "frostbench" / "tokens"


_ELSEWHERE = {"out", "quiet", "cache", "retry_failed", "again"}


def _plain(config: RunConfig) -> dict[str, Any]:
    """What a run depends on; where it is stored and how it is shown is left out."""
    values = dataclasses.asdict(config)
    return {key: value for key, value in values.items() if key not in _ELSEWHERE}
