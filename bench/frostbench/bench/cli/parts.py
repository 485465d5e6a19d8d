"""Loads the parts of a plan; leaves out parts of installed plugins that cannot be loaded."""

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_args

from frostbench.bench.cli.config import LIMITS, RunConfig, UsageError, own_settings
from frostbench.bench.cli.data import DataSets
from frostbench.bench.runner.plan import PlannedTask
from frostbench.plugins.contract.cards import Card, TaskCard
from frostbench.plugins.contract.control import Change, Control, StandIn, all_controls
from frostbench.plugins.contract.engine import Engine
from frostbench.plugins.contract.metric import Metric, MetricContext
from frostbench.plugins.contract.task import Task
from frostbench.plugins.host.containment import Call, contain
from frostbench.plugins.host.errors import PluginError, UserNote, describe, missing
from frostbench.plugins.host.registry import Host, Registered
from frostbench.plugins.host.settings import read_settings


def open_controls(host: Host) -> dict[str, Control]:
    """All controls, also those of methods that do not run, since a task may name them."""
    offered = [control for _, control in host.usable(host.controls.values(), _control)]
    known = {control.card.name: control for control in offered}
    brought = host.usable(host.methods.values(), partial(_bringing, known))
    return all_controls(offered, [card for _, card in brought])


def _control(item: Registered[Any]) -> Control:
    change = item.load()
    if not isinstance(change, get_args(Change)):
        raise PluginError(f"it is no change of a control but a {type(change).__name__}")
    return Control(item.card, change)


def _bringing(known: Mapping[str, Control], item: Registered[Card]) -> Card:
    """The card of a method that may bring its own controls."""
    for name in item.card.controls:
        if name in known and not isinstance(known[name].change, StandIn):
            raise PluginError(
                f"it brings a control {name!r}, which is made of every method; give it another name"
            )
    return item.card


def plan_tasks(
    config: RunConfig,
    host: Host,
    data: DataSets,
    items: Sequence[Registered[TaskCard]],
) -> list[PlannedTask]:
    """The tasks, made from their settings.

    Raises:
        UsageError: it is not said how many samples of a task are wanted.
        ValueError: the user's settings do not fit.
        PluginError: a task that the user names cannot be made.
    """
    make = partial(_task, config, data)
    if config.tasks:
        return [make(item) for item in items]
    return [planned for _, planned in host.usable(items, make)]


def limit_for(config: RunConfig, task: str, suite: str) -> int:
    """How many samples of a task are asked for: the limit of it, of its suite, or of all.

    Raises:
        UsageError: nobody says how many.
    """
    rest = LIMITS.get(task, LIMITS.get(suite)) if config.limit is None else config.limit
    limit = config.limits.get(task, config.limits.get(suite, rest))
    if limit is None:
        raise UsageError(f"how many samples of {task!r}? Set limit=N or limits.{suite}=N.")
    return limit


def _task(config: RunConfig, data: DataSets, item: Registered[TaskCard]) -> PlannedTask:
    own = own_settings(config.task, item.name, "task")
    limit = limit_for(config, item.name, item.card.suite)
    kind = item.load()
    # A class that is no task fails when it is made.
    name = data.chosen_for(item.name, getattr(kind, "asks", ()), own.get("data"))
    if name is not None:
        data.open(name)
    try:
        made = _planned, kind, own, data, name, limit
        return contain(Call("task", item.name, "its settings"), *made)
    except UsageError:
        raise
    except Exception as error:
        if own and isinstance(error, ValueError):
            raise  # it is the user's settings that do not fit
        raise PluginError(f"task {item.name!r} ({item.file}): {describe(error)}") from error


def _planned(
    kind: type[Task], own: Mapping[str, Any], data: DataSets, name: str | None, limit: int
) -> PlannedTask:
    """A task on its data set: the one that the user named for it, or its own."""
    settings: Any = read_settings(kind.settings, own, f"task.{kind.card.name}")
    if name is not None:
        settings = _asked_of(data.open(name), name, kind, settings)
    task = kind(settings)
    task.data = name or task.data
    # Preflight and all tasks read one open data set.
    return PlannedTask(task, partial(data.open, task.data), limit, dataclasses.asdict(settings))


def _asked_of(data: Any, name: str, kind: type[Task], settings: Any) -> Any:
    """The settings with which a task uses a data set that the user names.

    Raises:
        UsageError: it cannot be.
    """
    if any(field.name == "data" for field in dataclasses.fields(settings)):
        settings = dataclasses.replace(settings, data=name)
    try:
        return kind.suited(settings, data)
    except ValueError as error:
        sentence = f"{kind.card.name} cannot be asked of data.{name}: {error}."
        raise UsageError(sentence) from error


def with_metrics(
    config: RunConfig, host: Host, backbones: Any, tasks: Sequence[PlannedTask]
) -> tuple[tuple[PlannedTask, ...], dict[str, Metric]]:
    """The tasks whose metrics are all there, and all their metrics.

    Raises:
        LookupError: a metric of a task that the user names is not installed.
        PluginError: one cannot be made.
    """
    for item in tasks:
        _without_networks(config, host, backbones, item.task)
    cards = {item.task.card.name: item.task.card for item in tasks}
    for name, card in cards.items():
        absent = [metric for metric in card.metrics if metric not in host.metrics]
        if absent and not config.tasks:
            host.leave_out(host.tasks[name], missing("metric", absent[0], host.metrics))
    wanted = {name: card.metrics for name, card in cards.items() if name in host.tasks}
    metrics = open_metrics(config, host, backbones, metrics_of(host, wanted))
    for name, own in wanted.items():
        gone = [metric for metric in own if metric not in metrics]
        if gone and config.tasks:
            raise PluginError(f"task {name!r}: its metric {gone[0]!r} cannot be made.")
        if gone:
            host.leave_out(host.tasks[name], f"its metric {gone[0]!r} cannot be made")
    return tuple(item for item in tasks if item.task.card.name in host.tasks), metrics


def _without_networks(config: RunConfig, host: Host, backbones: Any, task: Task) -> None:
    """Leave out a task's metrics that look through networks which the pack does not have.

    Only default metrics are left out, and never all of them: what a user names must be there.
    """
    card = task.card
    if "metrics" in own_settings(config.task, card.name, "task"):
        return
    roles = {
        name: host.metrics[name].card.networks for name in card.metrics if name in host.metrics
    }
    lacking = {
        name: role
        for name, networks in roles.items()
        for role in networks
        if role not in backbones.entries
    }
    kept = tuple(name for name in card.metrics if name not in lacking)
    if not lacking or not kept:
        return
    ranks_by = kept[0] if card.ranks_by in lacking else card.ranks_by
    task.card = dataclasses.replace(card, metrics=kept, ranks_by=ranks_by)
    warnings.warn(
        f"{card.name} is scored without {' and '.join(lacking)}: the pack has no "
        f"{' and no '.join(sorted(set(lacking.values())))}.",
        UserNote,
        stacklevel=2,
    )


def metrics_of(host: Host, tasks: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The ids of tasks' own metrics, by task, and after them of those whose facts name the task.

    Raises:
        PluginError: the facts of a metric in a plugin file name a task that is not installed.
    """
    named: dict[str, list[str]] = {task: list(own) for task, own in tasks.items()}
    for item, wanted in host.usable(host.metrics.values(), partial(_tasks_of, set(host.tasks))):
        for task in wanted:
            if item.name not in named.get(task, [item.name]):
                named[task].append(item.name)
    return named


def _tasks_of(known: set[str], item: Registered[Any]) -> tuple[str, ...]:
    for task in item.card.tasks:
        if task not in known:
            raise PluginError(f"metric {item.name!r}: " + missing("task", task, known))
    wanted: tuple[str, ...] = item.card.tasks
    return wanted


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
    names = dict.fromkeys(name for own in tasks.values() for name in own)
    wanted = [host.pick("metric", name) for name in names]
    return {item.name: made for item, made in host.usable(wanted, partial(_metric, context))}


def _metric(context: MetricContext, item: Registered[Any]) -> Metric:
    target = item.load()
    try:
        return contain(Call("metric", item.name, "build"), Metric.made, item.card, target, context)
    except Exception as error:
        if item.own or item.card.weights:
            raise  # the message says what the pack or the user's weight file lacks
        raise PluginError(f"metric {item.name!r} ({item.file}): {describe(error)}") from error


def open_engine(config: RunConfig, host: Host, backbones: Any) -> Engine:
    """The engine that answers prompts, over the shared backbones."""
    settings = dict(config.engine)
    name = str(settings.pop("name", "frozen"))
    opened = host.pick("engine", name).load()
    engine: Engine = contain(Call("engine", name, "build"), opened, backbones, settings)
    return engine
