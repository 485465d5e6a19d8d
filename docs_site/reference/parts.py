"""What is installed: tasks, metrics, controls, data sets, presets, packs and the rest."""

import inspect
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from docs_site.fields import settings_table
from docs_site.page import REPOSITORY, Page, code, codes, prose, sections, sentence, table
from docs_site.settings_of import host, of_reader
from frostbench.bench.cli.data_command import told
from frostbench.bench.cli.listing import KINDS
from frostbench.bench.leaderboard.reported import reported


def part_pages() -> Iterator[Page]:
    """A page a kind of part."""
    yield Page("reference/methods.md", _methods())
    yield Page("reference/tasks.md", _tasks())
    yield Page("reference/metrics.md", _metrics())
    yield Page("reference/controls.md", _controls())
    yield Page("reference/datasets.md", _datasets())
    yield Page("reference/presets.md", _presets())
    yield Page("reference/reported.md", _reported())
    yield Page("reference/packs.md", _packs())
    yield Page("reference/others.md", _others())


def listed(kind: str) -> list[dict[str, Any]]:
    """What `frostbench list KIND --json` prints."""
    return KINDS[kind](host())


def _methods() -> str:
    rows = [
        (
            f"[`{one['name']}`](../know/methods/{one['name'].removesuffix('_lora')}.md)",
            sentence(one["summary"]),
            codes(one["capabilities"]),
            codes(one["backbones"]),
            ", ".join(one["trained"]),
        )
        for one in listed("methods")
    ]
    return sections(
        "# Methods",
        "What `frostbench list methods --json` prints. A method answers the requests that it "
        "names, and shows a dash for all other tasks.",
        table(("method", "what it does", "answers", "backbones", "trained parts"), rows),
    )


def _tasks() -> str:
    parts = []
    for suite in listed("suites"):
        parts.append(f"## {suite['name'].capitalize()}")
        parts += [task_section(one) for one in listed("tasks") if one["name"] in suite["tasks"]]
    return sections("# Tasks", "What `frostbench list tasks --json` prints.", *parts)


def task_section(one: Mapping[str, Any]) -> str:
    """What the card of a task says."""
    shown = [card["name"] for card in listed("controls") if one["name"] in card["tasks"]]
    facts = {
        "asks of a method": code(one["request_type"]),
        "ranks by": metric_link(one["ranks_by"]),
        "metrics": ", ".join(map(metric_link, one["metrics"])),
        "protocols": codes(one["protocols"]),
        "levels, the easiest first": codes(one["levels"]),
        "variants": codes(one["variants"]),
        "controls": ", ".join(f"[`{name}`](controls.md#{name})" for name in shown),
    }
    return sections(
        f"### `{one['name']}` {{ #{one['name']} }}",
        sentence(one["summary"]),
        table(("fact", "value"), [(name, said) for name, said in facts.items() if said]),
        f"Its settings: [task.{one['name']}.KEY](task-settings.md#{one['name']}).",
    )


def metric_link(name: str) -> str:
    """A metric's id, leading to what it is."""
    known = name if name in host().metrics else f"{name.partition('[')[0]}[*]"
    return f"[`{name}`](metrics.md#{metric_anchor(known)})"


def metric_anchor(name: str) -> str:
    """The anchor of a metric on its page."""
    return "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in name).strip("-")


def _metrics() -> str:
    used = {
        one["name"]: [task["name"] for task in listed("tasks") if _shows(task, one)]
        for one in listed("metrics")
    }
    parts = []
    for one in listed("metrics"):
        tasks = ", ".join(f"[`{task}`](tasks.md#{task})" for task in used[one["name"]])
        parts += [
            f"## `{one['name']}` {{ #{metric_anchor(one['name'])} }}",
            sentence(one["summary"]),
            _told(host().metrics[one["name"]].load()),
            f"Shown by {tasks}." if tasks else "Shown where a task's setting `metrics` names it.",
        ]
    return sections(
        "# Metrics",
        "What `frostbench list metrics --json` prints. What stands in brackets is the protocol or "
        "the network: two values with other brackets are never ranked together. `[*]` stands for "
        "the name of the pack's network.",
        *parts,
    )


def _shows(task: Mapping[str, Any], metric: Mapping[str, Any]) -> bool:
    return metric["name"] in task["metrics"] or task["name"] in metric["tasks"]


def _controls() -> str:
    parts = []
    for one in listed("controls"):
        tasks = ", ".join(f"[`{task}`](tasks.md#{task})" for task in one["tasks"])
        needs = {
            "prompts that show examples": one["in_context"],
            "images as discrete tokens in them": one["discrete"],
            "an adapter for the task": one["adapter"],
            **{f"answers to {code(type_)} requests": True for type_ in one["answers"].values()},
        }
        wanted = ", ".join(need for need, holds in needs.items() if holds)
        parts += [
            f"## `{one['name']}` {{ #{one['name']} }}",
            sentence(one["meaning"]),
            "It is a ceiling, which a method is not meant to beat." if one["ceiling"] else "",
            f"A method has it only with {wanted}." if wanted else "",
            f"Shown by {tasks}." if tasks else "",
        ]
    return sections("# Controls", "What `frostbench list controls --json` prints.", *parts)


def _datasets() -> str:
    parts = []
    for one in listed("datasets"):
        kind = of_reader(one["name"])
        keys = "" if kind is None else settings_table(kind)
        parts += [f"## `{one['name']}` {{ #{one['name']} }}", _told(_reader(one["name"])), keys]
    return sections(
        "# Data sets",
        "What `frostbench data NAME` prints. A data set is given as `data.NAME=READER:FOLDER`; "
        "where the name is that of a reader, `data.NAME=FOLDER` is enough. Nothing is downloaded.",
        *parts,
    )


def _reader(name: str) -> Any:
    return host().datasets[name].load()


def _told(thing: Any) -> str:
    """What the docstring of a function or class says, but for what it takes and raises."""
    while isinstance(thing, partial):
        thing = thing.func
    if not inspect.getdoc(thing) or getattr(thing, "__name__", "") == "<lambda>":
        return ""
    return sections(*(_paragraph(one) for one in told(thing)))


def _paragraph(text: str) -> str:
    example = text.startswith((">>>", " ")) or "\n>>> " in text
    return f"```pycon\n{text}\n```" if example else prose(text)


_USE = {
    "run": "frostbench run preset={0} out=runs/{0}",
    "train": "frostbench train preset={0} pack={0} text=FOLDER device=cuda",
}


def _presets() -> str:
    parts = []
    for one in listed("presets"):
        text = Path(one["file"]).read_text(encoding="utf-8")
        parts += [
            f"## `{one['name']}` {{ #{one['name']} }}",
            sentence(one["summary"]),
            f"```sh\n{_USE[one['command']].format(one['name'])}\n```",
            f"```yaml\n{text.rstrip()}\n```",
        ]
    return sections(
        "# Presets",
        "A preset is a file with the keys of a run that gives a published table, or of a training "
        "that makes a new pack; the keys of the command line count over it. "
        "`frostbench parity RUN` then sets a run beside what was reported.",
        *parts,
    )


def reported_table(rows: Any) -> str:
    """What papers report, as a table with sources."""
    return table(
        ("method", "task", "metric", "value:", "setting", "seen there", "source"),
        [
            (
                code(row.method),
                code(row.task),
                prose(row.metric),
                f"{row.value:g}",
                prose(row.setting),
                "yes" if row.verified else "no",
                prose(row.source),
            )
            for row in rows
        ],
    )


def _reported() -> str:
    rows = reported()
    parts = [
        sections(f"## {suite.capitalize()}", reported_table([r for r in rows if r.suite == suite]))
        for suite in dict.fromkeys(row.suite for row in rows)
    ]
    return sections(
        "# What papers report",
        "Values as published or quoted. They were measured on other data with other models: they "
        "stand beside ours as rows of their own, never ranked and never with an interval. *Seen "
        "there* says whether the value was read in the source itself.",
        *parts,
    )


def _packs() -> str:
    parts = []
    for one in listed("packs"):
        others = [
            f"`{role}={name}` in place of its own"
            for role, names in one["alternatives"].items()
            for name in names
        ]
        card = Path(one["folder"] or ".") / "CARD.md"
        lead = (
            f"[Its card](../../{card.relative_to(REPOSITORY).as_posix()})" if card.is_file() else ""
        )
        parts += [
            f"## `{one['name']}` {{ #{one['name']} }}",
            sentence(one["summary"]),
            f"Also in it: {', '.join(others)}." if others else "",
            f"{lead} says how each part was made, with figures and checksums." if lead else "",
        ]
    return sections("# Packs", "What `frostbench list packs --json` prints.", *parts)


def _others() -> str:
    converters = [
        (
            code(one["name"]),
            sentence(one["summary"]),
            ", ".join(file["what"] for file in one["files"]),
        )
        for one in listed("converters")
    ]
    recipes = [
        (code(one["name"]), sentence(one["summary"]), codes(one["needs"]))
        for one in listed("recipes")
    ]
    named = {
        title: [(code(one["name"]), _told(items[one["name"]].load())) for one in listed(kind)]
        for title, kind, items in (
            ("Backbones", "backbones", host().backbones),
            ("Engines", "engines", host().engines),
        )
    }
    return sections(
        "# Backbones, engines, recipes, converters",
        *(
            sections(f"## {title}", table(("name", "what it is"), rows))
            for title, rows in named.items()
        ),
        "## Recipes",
        "Each trains one part of a pack: `frostbench train NAME`.",
        table(("recipe", "what it makes", "needs"), recipes),
        "## Converters",
        "Each makes a folder of weights out of published files: `frostbench convert NAME FILE...`.",
        table(("converter", "what it makes", "files"), converters),
    )
