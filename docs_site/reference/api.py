"""What can be imported: the contract by module, what authors build on, and the bench."""

import importlib
import inspect
from collections.abc import Iterator, Sequence

from docs_site.page import Page, prose, sections
from frostbench import bench, plugins

TITLES = {
    "cards": "Cards",
    "completions": "Completions",
    "control": "Controls",
    "converter": "Converters",
    "datasets": "Data sets",
    "detection": "Requests of detection",
    "hooks": "Marking hooks",
    "images": "Images",
    "matches": "Matches of a class",
    "method": "Methods",
    "metric": "Metrics",
    "predictions": "Predictions",
    "prompts": "Prompts",
    "recipe": "Recipes",
    "requests": "Requests",
    "scenes": "Scenes made to order",
    "seeds": "Seeds",
    "task": "Tasks",
    "tokens": "Visual tokens",
}
"""Modules of the contract, by the title of their page."""


def api_pages() -> Iterator[Page]:
    """A page for each module of the contract, and one for the bench."""
    for module, names in plugins._HOMES.items():
        yield _page(module, TITLES[module], "frostbench.plugins", names.split())
    yield _page("bench", "Running and reading", "frostbench.bench", bench.__all__)


def _page(name: str, title: str, package: str, names: Sequence[str]) -> Page:
    home = package if package == "frostbench.bench" else f"{package}.contract.{name}"
    doc = inspect.getdoc(importlib.import_module(home)) or ""
    entries = [f"::: {package}.{one}" for one in names]
    path = f"reference/api/{name}.md"
    text = sections(f"# {title}", prose(doc), f"`from {package} import ...`", *entries)
    return Page(path, text)
