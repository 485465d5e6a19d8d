"""What can be imported: the contract by module, what authors build on, and the bench."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Sequence
from types import ModuleType

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


PARTS = {
    "prefix": ("Continuous prefixes", "parts.prefix", ()),
    "prompting": ("Prompts of discrete tokens", "parts.prompting", ()),
    "tokenizing": ("Tokenizing", "parts.tokenizing", ()),
    "grounding": ("Masks and attention", "parts.grounding", ()),
    "training": ("Training", "parts.training", ()),
    "autoencoder": ("Autoencoders", "parts.autoencoder", ()),
    "backbones": ("Frozen backbones", "backbones", ("entry", "shared", "causal_lm", "clip", "lmm")),
    "engine": ("The engine", "engine", ("frozen", "settings")),
    "host": ("Finding plugins, packs and settings", "host", ("registry", "packs", "settings")),
    "kit": ("The kit for authors", "kit", ("conformance", "pytest", "toys")),
}
"""What methods are built of: the title of its page, the package, and its modules if not all."""
WHOLE = """\
    options:
      show_root_full_path: true
"""


def api_pages() -> Iterator[Page]:
    """A page for each module of the contract, one for the bench, and one a package of parts."""
    for module, names in plugins._HOMES.items():
        yield _page(
            module, TITLES.get(module, module.capitalize()), "frostbench.plugins", names.split()
        )
    yield _page("bench", "Running and reading", "frostbench.bench", bench.__all__)
    for name, (title, package, modules) in PARTS.items():
        found = importlib.import_module(f"frostbench.plugins.{package}")
        yield _parts(name, title, found, modules)


def _parts(name: str, title: str, package: ModuleType, modules: Sequence[str]) -> Page:
    """The public names of modules of a package."""
    every = sorted(one.name for one in pkgutil.iter_modules(package.__path__))
    entries = [f"::: {package.__name__}.{one}\n{WHOLE}" for one in modules or every]
    doc = prose(inspect.getdoc(package) or "")
    return Page(f"reference/parts/{name}.md", sections(f"# {title}", doc, *entries))


def _page(name: str, title: str, package: str, names: Sequence[str]) -> Page:
    home = package if package == "frostbench.bench" else f"{package}.contract.{name}"
    doc = inspect.getdoc(importlib.import_module(home)) or ""
    entries = [f"::: {package}.{one}" for one in names]
    path = f"reference/api/{name}.md"
    text = sections(f"# {title}", prose(doc), f"`from {package} import ...`", *entries)
    return Page(path, text)
