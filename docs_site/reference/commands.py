"""The command line, from its own help."""

from collections.abc import Iterator

from docs_site.fields import docstring, settings_table
from docs_site.page import Page, code, prose, sections, table
from docs_site.settings_of import of_command
from frostbench.bench.cli.commands import COMMANDS


def command_pages() -> Iterator[Page]:
    """One page with all commands, each as `frostbench COMMAND --help` says it."""
    overview = table(
        ("command", "what it does"),
        [(f"[`{name}`](#{name})", prose(one.summary)) for name, one in COMMANDS.items()],
    )
    text = sections(
        "# Commands",
        "Each prints what stands here with `frostbench COMMAND --help`. Keys are written "
        "`KEY=VALUE`, lists `a,b` or `[a,b]`; `config=FILE` reads them from a YAML file.",
        "Exit codes are 0 when all was done, 1 when it finished with failures or with parts left "
        "out, 2 when it was refused, and 130 when it was interrupted.",
        overview,
        *map(_command, COMMANDS),
    )
    yield Page("reference/commands.md", text)


def _command(name: str) -> str:
    command = COMMANDS[name]
    return sections(
        f"## `{name}` {{ #{name} }}",
        f"```text\nfrostbench {command.usage}\n```",
        prose(command.summary),
        f"```text\n{command.details}\n```" if command.details else "",
        _keys(name),
    )


def _keys(name: str) -> str:
    kind = of_command(name)
    if name == "lmms-tasks":
        return "Its keys are those of [`run`](#run)."
    if kind is None or not (keys := settings_table(kind)):
        return ""
    return sections(f"### Keys of {code(name)} {{ #{name}-keys }}", docstring(kind), keys)
