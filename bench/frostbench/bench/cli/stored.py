"""The configuration of a stored run, and the plugin files that it used."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from frostbench.bench.cli.config import RunConfig, ScoreConfig, UsageError, keys_of
from frostbench.bench.printable import brief
from frostbench.bench.store.manifest import Origin
from frostbench.bench.store.reader import StoredRun
from frostbench.bench.store.typed import typed
from frostbench.bench.store.writer import PLUGINS
from frostbench.plugins.host.errors import missing
from frostbench.plugins.host.packs import Pack
from frostbench.plugins.host.registry import Host

LARGEST_TEXT = 1 << 24  # bytes of a plugin file that is compared
MOST_LINES, LONGEST_LINE = 20, 120  # lines of a difference that are shown


def config_of(run: StoredRun) -> RunConfig:
    """The run's configuration, to make its plan again.

    It is read as plain values: nothing in it is filled in from elsewhere.

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
    return config


def left_out(run: StoredRun, given: Sequence[str]) -> str:
    """A sentence on plugin files that the run used and the user did not give; "" if none."""
    names = {Path(file).name for file in given}
    used = [Path(file).name for file in config_of(run).plugins]
    # A file may have been renamed: one that the run did not use stands for one that it did.
    absent = [name for name in used if name not in names][len(names - set(used)) :]
    if not absent:
        return ""
    named = " and ".join(f"{name}{_digest(run, name)}" for name in absent)
    kept = all((run.folder / PLUGINS / name).is_file() for name in absent)
    where = f" {run.folder / PLUGINS} keeps what it used." if kept else ""
    return (
        f"this run used the plugin file{'s' if absent[1:] else ''} {named}, and a run's folder "
        f"never has code run: give plugins=[{','.join([*given, *absent])}], with the paths of "
        f"files that you trust.{where}"
    )


def as_it_lies(stored: RunConfig, now: ScoreConfig) -> RunConfig:
    """A run's configuration, with the places that the user gives `now`."""
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
        UsageError: it is not here; the message says how to give its place.
    """
    from frostbench.bench.cli.assemble import find_pack

    try:
        return find_pack(name, host)
    except LookupError as error:
        sentence = f"{error.args[0]} {command} RUN pack=FOLDER says where it is now."
        raise UsageError(sentence) from error


def plugin_files(
    run: StoredRun, now: Mapping[str, Mapping[str, Origin]], texts: Mapping[str, bytes]
) -> Iterator[str]:
    """A line for each plugin file that a plan uses `now`, on whether its code is that of the run.

    `texts` are the files' contents; where the run's folder has its own copy, differing lines
    follow.
    """
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
        yield f"holds  plugin file {file}: the code is {same}."
        if changed:
            yield from _differences(_kept(run, file, changed), file, texts.get(file, b""))


def _kept(run: StoredRun, file: str, changed: Sequence[str]) -> Path | None:
    """The run's copy of the plugin file, under its original name; None without one."""
    before: Any = run.manifest.origins
    kind, _, name = changed[0].rpartition(" ")
    old = before.get(kind, {}).get(name)
    for one in (file, *([] if old is None else [old.file])):
        path = run.folder / PLUGINS / Path(one).name
        if one and path.is_file() and not path.is_symlink():
            return path
    return None


def _differences(kept: Path | None, file: str, now: bytes) -> Iterator[str]:
    """The lines in which a plugin file differs from the one that the run kept."""
    if kept is None:
        return
    if kept.stat().st_size > LARGEST_TEXT:
        yield f"       {kept} is too large to be compared."
        return
    old, new = (
        content.decode(errors="replace").splitlines() for content in (kept.read_bytes(), now)
    )
    if old == new:
        yield f"       {file} itself is that of the run, and what it imports is not."
    lines = list(difflib.unified_diff(old, new, str(kept), file, lineterm="", n=0))
    yield from (f"       {brief(line, LONGEST_LINE)}" for line in lines[:MOST_LINES])
    if len(lines) > MOST_LINES:
        yield f"       ... and {len(lines) - MOST_LINES} lines more."


def _digest(run: StoredRun, name: str) -> str:
    """The digest of a plugin file's code, where the manifest has it."""
    origins: Any = getattr(run.manifest, "origins", {})
    found = (one for kind in origins.values() for one in kind.values() if one.file == name)
    return next((f" (code sha256 {one.code})" for one in found if one.code), "")
