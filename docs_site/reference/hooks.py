"""The hooks by which a plugin joins the bench."""

import inspect
from collections.abc import Iterator

from docs_site.page import Page, prose, sections, table
from frostbench.plugins.contract import hooks


def hook_pages() -> Iterator[Page]:
    """One page with every hook."""
    named = {name: thing for name, thing in vars(hooks).items() if name.startswith("frostbench_")}
    overview = [
        (f"[`{name}`](#{name})", prose((inspect.getdoc(hook) or "").split("\n\n")[0]))
        for name, hook in named.items()
    ]
    parts = [
        sections(
            f"## `{name}` {{ #{name} }}",
            f"```python\n{_signature(name)}\n```",
            prose(inspect.getdoc(hook) or ""),
        )
        for name, hook in named.items()
    ]
    text = sections(
        "# Hooks",
        prose(inspect.getdoc(hooks) or ""),
        table(("hook", "what it does"), overview),
        *parts,
    )
    yield Page("reference/hooks.md", text)


def _signature(name: str) -> str:
    """The first line of the hook's definition, as it is written."""
    lines = inspect.getsource(getattr(hooks, name)).splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("def "))
    return lines[start].removesuffix(":")
