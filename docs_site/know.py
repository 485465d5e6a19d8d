"""The pages on methods and suites: prose of `docs/know`, and below it what the code says."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from docs_site.measured import measured_table
from docs_site.page import REPOSITORY, Page, code, codes, prose, sections, sentence, table
from docs_site.reference.parts import listed, metric_link, reported_table
from docs_site.settings_of import host, of_method
from docs_site.source import moved
from frostbench.bench.leaderboard.reported import reported

METHODS, SUITES = "know/methods/", "know/suites/"


def with_facts(page: Page) -> Page:
    """A page of `docs/`; those on methods and suites with what cards, runs and papers say."""
    name = page.path.rpartition("/")[2].removesuffix(".md")
    if page.path.startswith(METHODS):
        return _method(page, name)
    return _suite(page, name) if page.path.startswith(SUITES) else page


def variants(name: str) -> list[str]:
    """The methods that a page is on: the one of its name, and its variants (`lm4lv_lora`)."""
    return [one for one in host().methods if one == name or one.startswith(f"{name}_")]


def readme_of(name: str) -> Path:
    """The README.md of a method's folder, or of its component."""
    kind: type = host().methods[name].load()
    module = kind.__module__.split(".")
    folder = REPOSITORY / module[1] / Path(*module[:-1])
    found = [
        one / "README.md" for one in (folder, *folder.parents) if (one / "README.md").is_file()
    ]
    return found[0]


def _method(page: Page, name: str) -> Page:
    readme = readme_of(name)
    text = moved(readme.read_text(encoding="utf-8"), readme.parent, page.home)
    lead, rest = _halves(text)
    title, _, body = page.text.partition("\n")
    names = variants(name)
    return replace(
        page,
        holds=(readme,),
        text=sections(
            title,
            lead,
            body,
            "## The paper, part by part",
            rest.replace("\n## ", "\n### "),
            "## Its card",
            *(_card(one, alone=len(names) == 1) for one in names),
            "## Reported",
            "What papers report, on other data with other models.",
            reported_table([row for row in reported() if row.method in names])
            or "No figures are known.",
            *(_measured(one, alone=len(names) == 1) for one in names),
        ),
    )


def _halves(readme: str) -> tuple[str, str]:
    """The first paragraph of a README.md, and what follows it."""
    body = readme.partition("\n")[2].strip()
    lead, _, rest = body.partition("\n\n")
    return lead, rest


def _measured(name: str, *, alone: bool) -> str:
    title = "## Measured on `mini`" if alone else f"## `{name}` measured on `mini`"
    return sections(title, measured_table(name))


def _card(name: str, *, alone: bool) -> str:
    card: Mapping[str, Any] = next(one for one in listed("methods") if one["name"] == name)
    facts = {
        "summary": sentence(card["summary"]),
        "version": code(card["version"]),
        "answers": codes(card["capabilities"]),
        "does not answer": "; ".join(
            f"{code(type_)}: {prose(reason)}" for type_, reason in card["reasons"].items()
        ),
        "frozen backbones": codes(card["backbones"]),
        "trained parts": prose(", ".join(card["trained"])),
        "trained on": prose(card["trained_on"]),
        "controls of its own": ", ".join(
            f"[`{one}`](../../reference/controls.md#{one})" for one in card["controls"]
        ),
        "settings": "" if of_method(name) is None else _settings_link(name),
    }
    return sections(
        "" if alone else f"### `{name}`",
        table(("fact", "value"), [(head, said) for head, said in facts.items() if said]),
    )


def _settings_link(name: str) -> str:
    return f"[method.{name}.KEY](../../reference/method-settings.md#{name})"


def _suite(page: Page, name: str) -> Page:
    tasks = [one for one in listed("tasks") if one["suite"] == name]
    rows = [
        (
            f"[`{one['name']}`](../../reference/tasks.md#{one['name']})",
            sentence(one["summary"]),
            code(one["request_type"]),
            _from_suites(metric_link(one["ranks_by"])),
            ", ".join(_shown_controls(one["name"])),
        )
        for one in tasks
    ]
    known = [row for row in reported() if row.suite == name]
    return replace(
        page,
        text=sections(
            page.text,
            "## Tasks",
            table(("task", "what it asks", "request", "ranks by", "controls"), rows),
            "Every metric of a task stands in the [reference](../../reference/tasks.md).",
            "## What papers report",
            reported_table(known) or "No figures are known.",
        ),
    )


def _shown_controls(task: str) -> list[str]:
    return [
        f"[`{one['name']}`](../../reference/controls.md#{one['name']})"
        for one in listed("controls")
        if task in one["tasks"]
    ]


def _from_suites(link: str) -> str:
    return re.sub(r"\]\((?=metrics)", "](../../reference/", link)
