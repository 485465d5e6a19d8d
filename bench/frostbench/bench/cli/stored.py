"""The configuration behind a stored run, and the plugin files that it used."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from frostbench.bench.cli.config import LIMITS, RunConfig, ScoreConfig, UsageError, keys_of
from frostbench.bench.store.manifest import Origin
from frostbench.bench.store.reader import StoredRun
from frostbench.bench.store.typed import typed
from frostbench.plugins.host.errors import missing
from frostbench.plugins.host.packs import Pack
from frostbench.plugins.host.registry import Host


def config_of(run: StoredRun) -> RunConfig:
    """The run's configuration, to make its plan again.

    It is read as the plain values that it is: nothing in it is filled in from elsewhere.

    Raises:
        UsageError: the stored configuration is of another version.
    """
    stored, known = run.manifest.config, keys_of(RunConfig)
    unknown = [key for key in stored if key not in known]
    try:
        if unknown:
            raise ValueError(missing("key", unknown[0], known))
        config: RunConfig = typed(RunConfig, stored)
    except ValueError as error:
        raise UsageError(
            f"the configuration stored in {run.folder} does not fit this version of frostbench: "
            f"{error}"
        ) from error
    if config.limit is not None and config.limits == LIMITS:
        # Of an older frostbench, which stored the suites' own limits where `limit` counted.
        return replace(config, limits={})
    return config


def left_out(run: StoredRun, given: Sequence[str]) -> str:
    """Which plugin files the run used and the user did not give, in a sentence; "" if none."""
    names = {Path(file).name for file in given}
    used = [Path(file).name for file in config_of(run).plugins]
    # A file may have another name by now: one that the run did not use stands for one it did.
    absent = [name for name in used if name not in names][len(names - set(used)) :]
    if not absent:
        return ""
    named = " and ".join(f"{name}{_digest(run, name)}" for name in absent)
    return (
        f"this run used the plugin file{'s' if absent[1:] else ''} {named}, and a run's folder "
        f"never has code run: give plugins=[{','.join([*given, *absent])}], with the paths of "
        "files that you trust."
    )


def as_it_lies(stored: RunConfig, now: ScoreConfig) -> RunConfig:
    """A run's configuration, with the places that the user says things are in `now`."""
    data = dict(stored.data)
    for name, place in getattr(now, "data", {}).items():
        settings = data.get(name)
        keys = place if isinstance(place, Mapping) else {"folder": place}
        data[name] = {**settings, **keys} if isinstance(settings, Mapping) else place
    return replace(
        stored,
        pack=now.pack or stored.pack,
        data=data,
        metric_weights={**stored.metric_weights, **now.metric_weights},
    )


def found_pack(name: str, host: Host, command: str) -> Pack:
    """The pack of a stored run.

    Raises:
        UsageError: it is not here; the sentence says how its place is given.
    """
    from frostbench.bench.cli.assemble import find_pack

    try:
        return find_pack(name, host)
    except LookupError as error:
        sentence = f"{error.args[0]} {command} RUN pack=FOLDER says where it is now."
        raise UsageError(sentence) from error


def plugin_files(run: StoredRun, now: Mapping[str, Mapping[str, Origin]]) -> Iterator[str]:
    """Of each plugin file that a plan uses `now`, whether its code is that of the run."""
    before: Any = run.manifest.origins
    files: dict[str, list[str]] = {}
    for kind, origins in now.items():
        for name, origin in origins.items():
            if origin.file:
                old = before.get(kind, {}).get(name)
                changed = [] if old is not None and old.code == origin.code else [f"{kind} {name}"]
                files.setdefault(origin.file, []).extend(changed)
    for file, changed in files.items():
        same = f"not that of the run ({', '.join(changed)})" if changed else "that of the run"
        yield f"plugin file {file}: the code is {same}."


def _digest(run: StoredRun, name: str) -> str:
    """The digest of a plugin file's code, where the manifest has it."""
    origins: Any = getattr(run.manifest, "origins", {})
    found = (one for kind in origins.values() for one in kind.values() if one.file == name)
    return next((f" (code sha256 {one.code})" for one in found if one.code), "")
