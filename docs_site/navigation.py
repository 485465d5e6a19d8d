"""What stands where in the navigation: the parts, and within each the pages by title and order.

A page comes in by lying in the folder of a part. Its title is its first heading; pages that the
lists below do not name follow those that they name, by title.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from docs_site.page import Page, title_of

Nav: TypeAlias = list["str | dict[str, Nav]"]

PARTS = {
    "start": "Start",
    "use": "Use",
    "write": "Write",
    "know": "Know",
    "know/methods": "Methods",
    "know/suites": "Suites",
    "trust": "Trust",
    "reference": "Reference",
    "reference/api": "Contract",
    "reference/parts": "Building blocks",
}
"""Folders of pages, by the words that stand over them; one inside another is a part of it."""

ALONE = ("index.md", "glossary.md")
"""Pages outside of any part: the first, and the last."""

UNLISTED = "source/"
"""Files of the repository that pages lead to; they are reached by those links alone."""

ORDER: Mapping[str, Sequence[str]] = {
    "start": ("install", "first-board", "leaderboard"),
    "use": (
        "runs", "data", "published", "presets", "language-models", "packs", "scale", "devices",
        "watching", "comparing", "exporting", "sharing", "python", "lmms", "training",
        "larger", "command-line", "trouble",
    ),
    "write": (
        "methods", "prefix", "attention", "regression", "texts", "heads", "weights", "package",
        "tasks", "metrics", "data", "controls", "backbones", "recipes", "engine", "observers",
        "converters", "packs", "contract",
    ),
    "know": ("protocols", "metrics", "controls", "engine", "results"),
    "know/methods": ("v2l", "spae", "lqae", "vqgan", "lm4lv", "flmm", "visionllm"),
    "know/suites": ("understanding", "restoration", "grounding", "detection"),
    "trust": (
        "fairness", "statistics", "frozen", "plugins", "security", "reproducibility", "limits",
    ),
    "reference": (
        "commands", "settings", "method-settings", "task-settings", "recipe-settings", "methods",
        "tasks", "metrics", "controls", "datasets", "presets", "reported", "packs", "others",
        "hooks", "manifest", "records",
    ),
}  # fmt: skip


def navigation(pages: Sequence[Page]) -> Nav:
    """The navigation over all pages.

    Raises:
        ValueError: a page lies in no part, or has no title.
    """
    listed = [page for page in pages if not page.path.startswith(UNLISTED)]
    for page in listed:
        if page.path not in ALONE and _folder(page) not in PARTS:
            parts = ", ".join(f"docs/{part}/" for part in PARTS)
            raise ValueError(f"docs/{page.path} is in no part of the site: {parts}.")
    there = {page.path for page in listed}
    found = [_part(folder, listed) for folder in PARTS if "/" not in folder]
    first, *last = (name for name in ALONE if name in there)
    return [first, *(part for part in found if part is not None), *last]


def _part(folder: str, pages: Sequence[Page]) -> dict[str, Nav] | None:
    """A part with its pages, and then the parts inside it; None where it has neither."""
    order = ORDER.get(folder, ())

    def place(page: Page) -> tuple[int, str]:
        name = page.path.rpartition("/")[2].removesuffix(".md")
        first = order.index(name) if name in order else len(order)
        return (-1 if name == "index" else first, title(page))

    here: Nav = [page.path for page in sorted(_in(folder, pages), key=place)]
    inner = [one for one in PARTS if one.rpartition("/")[0] == folder]
    found = [part for part in (_part(one, pages) for one in inner) if part is not None]
    return {PARTS[folder]: [*here, *found]} if here or found else None


def title(page: Page) -> str:
    """The title of a page.

    Raises:
        ValueError: it has none.
    """
    try:
        return title_of(page.text)
    except ValueError as error:
        raise ValueError(f"docs/{page.path}: {error}") from error


def _in(folder: str, pages: Sequence[Page]) -> list[Page]:
    return [page for page in pages if _folder(page) == folder]


def _folder(page: Page) -> str:
    return page.path.rpartition("/")[0]
