"""Tasks of lmms-eval in a run (`tasks=lmms:NAME`), offered as a plugin offers tasks."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from frostbench.bench.cli.config import RunConfig, UsageError
from frostbench.bench.lmms.definition import PREFIX, READER
from frostbench.plugins.host.registry import Host


def with_lmms_tasks(config: RunConfig, host: Host) -> RunConfig:
    """The configuration with the tasks of lmms-eval that it names, which the host then offers.

    Groups become their tasks, and each task reads the data set of its own name.

    Raises:
        UsageError: lmms-eval is not installed or does not fit, or a task or its documents are not
            there.
    """
    if not any(name.startswith(PREFIX) for name in config.tasks):
        return config
    from frostbench.bench.lmms.tasks.loaded import loaded, names_in, place_of
    from frostbench.bench.lmms.version import LmmsError

    try:
        names = [
            PREFIX + one if task.startswith(PREFIX) else task
            for task in config.tasks
            for one in (names_in(task.removeprefix(PREFIX)) if task.startswith(PREFIX) else [task])
        ]
        asked = list(dict.fromkeys(one for one in names if one.startswith(PREFIX)))
        data: dict[str, Any] = dict(config.data)
        root = _folder(data.pop(READER, None))
        settings = {name: _own(config, name) for name in config.task}
        for task in asked:
            name = task.removeprefix(PREFIX)
            given = data.get(task)
            folder = _folder(given) if given is not None else place_of(name, root)
            own = settings.get(task, {})
            place = {"reader": READER, "folder": str(folder), "task": name}
            data[task] = {**place, "plain": own["plain"]} if "plain" in own else place
            definition = loaded(name, str(folder)).definition
            settings[task] = {**own, "data": task, "definition": definition}
        offer(host, data)
    except LmmsError as error:
        raise UsageError(str(error)) from error
    return replace(config, tasks=list(dict.fromkeys(names)), data=data, task=settings)


def offer(host: Host, data: Mapping[str, Any]) -> None:
    """Have a host offer the tasks of lmms-eval whose documents a configuration names.

    Raises:
        PluginError: one cannot be opened.
    """
    folders = {
        name.removeprefix(PREFIX): str(place["folder"])
        for name, place in data.items()
        if name.startswith(PREFIX) and isinstance(place, Mapping)
    }
    if folders:
        from frostbench.bench.lmms.tasks.offer import LmmsTasks

        host.register(LmmsTasks(folders), "lmms-eval")


def _own(config: RunConfig, name: str) -> dict[str, Any]:
    value = config.task[name]
    if not isinstance(value, Mapping):
        raise UsageError(f"task.{name}={value!r}: write task.{name}.KEY=VALUE.")
    return dict(value)


def _folder(given: Any) -> Path | None:
    """A folder as the user wrote it, with or without the reader before it.

    Raises:
        UsageError: there is none.
    """
    if given is None:
        return None
    said = given.get("folder", "") if isinstance(given, Mapping) else str(given)
    folder = Path(str(said).removeprefix(f"{READER}:")).expanduser()
    if not folder.is_dir():
        raise UsageError(f"data.{READER}={said}: there is no such folder.")
    return folder.resolve()
