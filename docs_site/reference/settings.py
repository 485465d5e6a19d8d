"""Every setting of engines, trackers, backbones, methods, tasks and recipes."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from docs_site.fields import docstring, settings_table
from docs_site.page import Page, code, sections, sentence, table
from docs_site.settings_of import host, of_backbone, of_method, of_recipe, of_task
from frostbench.bench.cli.config import LEAST, LIMITS
from frostbench.bench.tracking.kinds import TRACKERS, TrackerSettings
from frostbench.plugins.engine.settings import EngineSettings


def settings_pages() -> Iterator[Page]:
    """A page for what belongs to a whole run, and one each for methods, tasks and recipes."""
    yield Page("reference/settings.md", _general())
    known = host()
    yield _own("method", "Settings of methods", known.methods, of_method)
    yield _own("task", "Settings of tasks", known.tasks, of_task)
    yield _own("recipe", "Settings of recipes", known.recipes, of_recipe)


def _general() -> str:
    trackers = ", ".join(code(name) for name in TRACKERS)
    backbones = {name: of_backbone(name) for name in host().backbones}
    return sections(
        "# Settings of a run",
        "The keys of each command stand with [the command](commands.md): those of a run are "
        "[here](commands.md#run-keys), those of a training [here](commands.md#train-keys). "
        "Settings of [methods](method-settings.md), of [tasks](task-settings.md), of "
        "[recipes](recipe-settings.md) and of [readers of data](datasets.md) have pages of "
        "their own.",
        "## How many samples",
        "Where neither `limit` nor `limits.NAME` is given, so many samples of each task and "
        "protocol are asked:",
        table(
            ("suite or task", "samples:"), [(code(name), count) for name, count in LIMITS.items()]
        ),
        "## The least that a number may be",
        table(("key", "at least:"), [(code(key), least) for key, least in LEAST.items()]),
        _section("The engine", "engine", EngineSettings),
        _section("Trackers", "tracker.NAME", TrackerSettings),
        f"NAME is one of {trackers}.",
        "## Backbones",
        "A pack gives each backbone its settings; `backbone.ROLE.KEY` on the command line counts "
        "before them. Kinds without settings are left out.",
        *(
            sections(f"### `{name}`", docstring(kind), settings_table(kind))
            for name, kind in backbones.items()
            if kind is not None
        ),
    )


def _section(title: str, prefix: str, kind: type) -> str:
    return sections(
        f"## {title}", f"Written `{prefix}.KEY=VALUE`.", docstring(kind), settings_table(kind)
    )


def _own(kind: str, title: str, items: Mapping[str, Any], of: Callable[[str], type | None]) -> Page:
    """A page of the settings under `KIND.NAME`, those that read the same class together."""
    groups: dict[type | None, list[str]] = {}
    for name in items:
        groups.setdefault(of(name), []).append(name)
    parts = []
    for settings, names in groups.items():
        summaries = [
            f'- <a id="{name}"></a>{code(name)}: {sentence(items[name].card.summary)}'
            for name in names
        ]
        keys = "" if settings is None else settings_table(settings)
        parts += [
            f"## {', '.join(f'`{kind}.{name}`' for name in names)}",
            "\n".join(summaries),
            "" if settings is None else docstring(settings),
            keys or "It has no settings.",
        ]
    lead = (
        f"Each is written `{kind}.NAME.KEY=VALUE`. "
        "A number from a paper has its source beside it; what a pack sets otherwise stands in its "
        "`pack.json`."
    )
    return Page(f"reference/{kind}-settings.md", sections(f"# {title}", lead, *parts))
