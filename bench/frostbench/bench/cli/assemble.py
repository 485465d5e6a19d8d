"""Makes the plan of a run from its configuration: looks up names, checks settings, runs nothing."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from frostbench.bench.cli.config import (
    RunConfig,
    UsageError,
    cache_folder,
    limits_of,
    own_settings,
)
from frostbench.bench.cli.data import DataSets
from frostbench.bench.cli.isolating import apart
from frostbench.bench.cli.observing import PluginObserver
from frostbench.bench.cli.origins import files_outside, origins_of
from frostbench.bench.cli.parts import (
    metrics_of,
    open_controls,
    open_engine,
    open_metrics,
    plan_tasks,
    with_metrics,
)
from frostbench.bench.runner.plan import (
    Plan,
    PlannedMethod,
    PlannedTask,
    Provenance,
)
from frostbench.bench.store.hashes import Hashes
from frostbench.bench.store.manifest import Origin, PackEntry
from frostbench.plugins.contract.cards import Card, TaskCard
from frostbench.plugins.contract.engine import Engine
from frostbench.plugins.contract.method import Method, Setup
from frostbench.plugins.contract.metric import Metric
from frostbench.plugins.host.containment import Call, contain
from frostbench.plugins.host.errors import PluginError, describe, missing
from frostbench.plugins.host.identity import code_identity, named_files
from frostbench.plugins.host.litter import files_like
from frostbench.plugins.host.packs import Pack, digest_of_files, embedded_pack, read_pack
from frostbench.plugins.host.registry import Host, Registered


def assemble(config: RunConfig, host: Host, *, remembered: bool = True) -> Plan:
    """The plan of a run.

    Hashes of unchanged data files are `remembered` from other runs.

    Raises:
        LookupError: a name is not there; the message lists what there is.
        UsageError: keys contradict each other.
        ValueError: a pack or a setting is wrong.
    """
    pack = find_pack(config.pack, host)
    config = _with_networks(config, pack)
    controls = open_controls(host) if config.controls else None
    methods = choose_methods(config, host, pack)
    backbones = open_backbones(config, host, pack)
    hash_of = Hashes(cache_folder("hashes")).of if remembered else digest_of_files
    data = DataSets(config.data, host, pack, hash_of)
    chosen = plan_tasks(config, host, data, choose_tasks(config, host))
    planned, metrics = with_metrics(config, host, backbones, chosen)
    names = sorted({item.task.data for item in planned})
    data.check_used(names)
    kinds = sorted({entry.kind for entry in backbones.entries.values()})
    origins = origins_of(config, host, methods, planned, metrics, kinds, data.readers(names))
    made = [
        plan_method(config, pack, backbones, item, origins["method"][item.name]) for item in methods
    ]
    return Plan(
        out=Path(config.out),
        methods=tuple(apart(one, config, host, kinds) if config.isolate else one for one in made),
        tasks=planned,
        metrics=metrics,
        engine=open_engine(config, host, backbones),
        backbones=backbones,
        facts=Provenance(
            version("frostbench"),
            PackEntry(pack.name, pack.summary, pack.digest(hash_of)),
            data.digests(names),
            files_outside(config, pack, backbones.entries),
            origins,
            {Path(file).name: Path(file).read_bytes() for file in config.plugins},
        ),
        tokens=_cache(config),
        config=_plain(config),
        controls=controls,
        observers=tuple(
            PluginObserver(name, hooks, Path(config.out)) for name, hooks in host.observers()
        ),
        seed=config.seed,
        device=config.device,
        limit=config.limit,
        chunk=config.chunk,
        gallery=config.gallery,
        lease=config.lease,
        retry_failed=config.retry_failed,
        again=config.again,
        replaced={} if config.llm is None else {"llm": _language_models(pack)},
        limits=limits_of(config),
        notes=tuple(host.problems),
        renew=partial(_renewed, config, host, backbones, planned),
    )


def _cache(config: RunConfig) -> Path:
    """The folder of kept visual tokens.

    Raises:
        UsageError: there is something else in its place.
    """
    folder = Path(config.cache) if config.cache else cache_folder("tokens")
    there = next((path for path in (folder, *folder.parents) if path.exists()), folder)
    if there.exists() and not there.is_dir():
        raise UsageError(f"visual tokens are kept in {folder}, and {there} is no folder.")
    return folder


def _with_networks(config: RunConfig, pack: Pack) -> RunConfig:
    """The configuration with the files of metric networks that the pack has, and those named."""
    for name, file in config.metric_weights.items():
        if not Path(file).is_file():
            raise UsageError(f"metric_weights.{name}={file}: there is no such file.")
    networks = {name: str(path) for name, path in pack.metric_weights.items()}
    return dataclasses.replace(config, metric_weights={**networks, **config.metric_weights})


def _renewed(
    config: RunConfig, host: Host, backbones: Any, tasks: Sequence[PlannedTask]
) -> tuple[Engine, Mapping[str, Metric]]:
    """Engine and metrics, made again after backbones were dropped."""
    wanted = metrics_of(host, {item.task.card.name: item.task.card.metrics for item in tasks})
    engine = open_engine(config, host, backbones)
    return engine, open_metrics(config, host, backbones, wanted)


def find_pack(name: str, host: Host) -> Pack:
    """The pack of a name that a plugin offers, or in a folder."""
    if Path(name).is_dir():
        return read_pack(Path(name))
    if name in host.packs:
        card = host.packs[name].card
        if card.parts and not card.folder:
            raise LookupError(
                f"the pack {name!r} is not put together yet: `frostbench pack {name}` says of what "
                f"it is, and `frostbench pack {name} root=FOLDER` does it."
            )
        folder = Path(card.folder)
        return read_pack(folder if folder.is_absolute() else embedded_pack(name))
    raise LookupError(missing("pack", name, host.packs) + " A folder with a pack.json works too.")


def choose_methods(config: RunConfig, host: Host, pack: Pack) -> list[Registered[Card]]:
    """The methods that were asked for, or else all that the pack can serve.

    These are methods with an entry in the pack, methods without trained parts, and methods whose
    weights the user names.
    """
    if config.methods:
        return [host.pick("method", name) for name in dict.fromkeys(config.methods)]
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
    """The tasks that were asked for by name or suite, or else all."""
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
    named = [host.pick("task", name) for name in dict.fromkeys(config.tasks)]
    chosen = [
        item
        for item in named or host.tasks.values()
        if not config.suites or item.card.suite in config.suites
    ]
    if not chosen:
        raise UsageError(
            f"no task of {', '.join(config.tasks)} is in {', '.join(config.suites)}; "
            "leave one of the two keys out."
        )
    return chosen


def open_backbones(config: RunConfig, host: Host, pack: Pack) -> Any:
    """The pack's shared backbones, with the language model that was asked for; none is loaded.

    From now on the host knows the metrics that use one of them, by its name.
    """
    from frostbench.plugins.backbones import SharedBackbones
    from frostbench.plugins.backbones.device_map import devices_named
    from frostbench.plugins.backbones.devices import dtype_of

    host.name_networks(pack.named)
    entries = dict(pack.backbones)
    if config.llm is not None:
        entries["llm"] = pack.language_model(config.llm)
    if config.dtype:
        dtype_of(config.dtype)
    if config.dtype and "llm" in entries:
        entries["llm"] = dataclasses.replace(entries["llm"], dtype=config.dtype)
    for role in config.backbone:
        if role not in entries:
            raise LookupError(missing("backbone", role, entries))
        own = {**entries[role].settings, **own_settings(config.backbone, role, "backbone")}
        try:  # missing files are reported before anything is loaded
            several = devices_named(own.get("device_map"))
        except ValueError as error:
            raise UsageError(f"backbone.{role}.{error}") from error
        kind = config.device.partition(":")[0]
        if other := next((one for one in several if one.type != kind), None):
            raise UsageError(
                f"backbone.{role}.device_map puts parts on {other}, and device={config.device}; "
                f"run the rest there too, with device={other.type}."
            )
        if several and len(config.devices) > 1:
            raise UsageError(
                f"backbone.{role}.device_map shares a model among cards, and devices= starts a "
                "worker on each of them; leave devices= out."
            )
        entries[role] = dataclasses.replace(entries[role], settings=own)
    offered = host.usable(host.backbones.values(), Registered.load)
    kinds = {item.name: loader for item, loader in offered}
    return SharedBackbones(entries.values(), config.device, kinds)


def _language_models(pack: Pack) -> str:
    """A sentence on other language models, for a user whose choice does not work."""
    own = ["its own", *pack.alternatives.get("llm", {})] if "llm" in pack.backbones else []
    return f"The pack {pack.name!r} has {', '.join(own)}." if len(own) > 1 else ""


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
        folder = _own_weights(item.name, own.pop("weights"), pack)
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
    build = partial(_build, item, setup)
    return PlannedMethod(item.card, build, settings, weights, identity, _lacking(item, setup))


def _lacking(item: Registered[Card], setup: Setup) -> Mapping[str, str]:
    """The controls that a method cannot make of its weights, with the reasons.

    Raises:
        PluginError: the method is faulty.
    """
    if not item.card.controls:
        return {}
    try:
        kind = item.load()
    except Exception:  # building it reports this, and the others run
        return {}
    try:
        said = contain(Call("method", item.name, "lacks"), kind.lacks, setup)
        return {str(control): str(reason) for control, reason in said.items()}
    except Exception as error:
        raise PluginError(f"method {item.name!r} ({item.file}): {describe(error)}") from error


def _own_weights(method: str, given: object, pack: Pack) -> Path:
    """The folder of `method.NAME.weights=FOLDER`, which may lie in the pack.

    Raises:
        UsageError: it is no folder, or holds no file.
    """
    folder = Path(os.path.expanduser(str(given)))
    if not folder.exists():
        folder = pack.folder / folder
    if folder.is_file():
        raise UsageError(
            f"method.{method}.weights={given} is a file, and a folder is wanted; `frostbench "
            f"convert {method} {given} out=FOLDER` makes one of an official file."
        )
    if not folder.is_dir() or not any(path.is_file() for path in files_like(folder, "**/*")):
        raise UsageError(f"method.{method}.weights={given}: there is no folder with files.")
    return folder


def _build(item: Registered[Card], setup: Setup) -> Method:
    method = item.load().build(setup)
    if not isinstance(method, Method):
        raise TypeError(f"{item.name!r} ({item.file}) built no Method but {method!r}.")
    return method


_ELSEWHERE = {
    *("out", "quiet", "cache", "retry_failed", "again", "plugins_disabled"),
    *("workers", "devices", "lease", "memory", "launcher", "address", "trackers", "tracker"),
}


def _plain(config: RunConfig) -> dict[str, Any]:
    """The settings that a run depends on, without those for storage and display."""
    values = dataclasses.asdict(config)
    return {key: value for key, value in values.items() if key not in _ELSEWHERE}
