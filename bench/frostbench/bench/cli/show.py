"""`frostbench show`: prints a run's results in the terminal."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from frostbench.bench.cli.config import UsageError, read_config, split_words
from frostbench.bench.cli.meaning import PATH
from frostbench.bench.printable import printable, say

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from frostbench.bench.leaderboard.rows import Leaderboard
    from frostbench.bench.store.reader import StoredRun

WHOLE_LINES = 10_000  # columns; output that is not on a screen is not folded


@dataclass(frozen=True)
class ShowConfig:
    """Keys of `frostbench show RUN...`."""

    task: list[str] = field(default_factory=list)  # whose tables are shown whole
    all: bool = False  # everything that leaderboard.md holds
    plugins: list[str] = field(default_factory=list, metadata=PATH)  # single-file plugins
    plugins_disabled: list[str] = field(default_factory=list)  # written plugins.disabled


def show_command(words: list[str]) -> int:
    """Print the matrix of one run or several, the tables of a task, or everything."""
    plain, overrides = split_words(words, ShowConfig)
    config = read_config(ShowConfig, overrides)
    if not plain:
        raise UsageError("which run? frostbench show RUN.")
    from frostbench.bench.leaderboard import build
    from frostbench.bench.leaderboard.markdown import markdown
    from frostbench.bench.leaderboard.terminal import task_tables
    from frostbench.bench.submissions import open_runs
    from frostbench.bench.training.run_folder import told_of

    trainings = {folder: told for folder in plain if (told := told_of(Path(folder)))}
    for told in trainings.values():
        for line in told:
            say(line)
    plain = [folder for folder in plain if folder not in trainings]
    if not plain:
        return 0
    runs = open_runs(plain)
    if config.task:
        _check_tasks(config.task, runs)
    board = build(runs)
    if config.all:
        _print_markdown(markdown(board, " ".join(plain)))
    elif config.task:
        for table in task_tables(board, config.task, console().width):
            print_table(table)
    else:
        print_matrix(board, plain)
        say(f"\nfrostbench show {plain[0]} task=NAME has a task's table, all=true everything.")
    return 0


def print_matrix(board: "Leaderboard", names: Sequence[str]) -> None:
    """The matrix of runs of these names: coloured in a terminal, in whole lines elsewhere."""
    from frostbench.bench.leaderboard.matrix import matrix
    from frostbench.bench.leaderboard.tables import sections
    from frostbench.bench.leaderboard.terminal import LEGEND, heading, tables

    for line in heading(board, names):
        say(line)
    found = matrix(board, sections(board))
    for table in tables(found, console().width):
        say("")
        print_table(table)
    if found.places:
        say(f"\n{LEGEND}")


def console() -> "Console":
    """A console for tables: as wide as the terminal, or unlimited."""
    from rich.console import Console

    known = Console()
    return known if known.is_terminal else Console(width=WHOLE_LINES)


def print_table(table: "RenderableType") -> None:
    """Print a table of rich's; without blanks at the ends of lines where it is piped."""
    out = console()
    if out.is_terminal:
        out.print(table)
        return
    from rich.console import Console

    text = StringIO()
    Console(file=text, width=out.width, color_system=None).print(table)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines()))


def _print_markdown(text: str) -> None:
    out = console()
    if not out.is_terminal:
        say(text.rstrip("\n"))
        return
    from rich.markdown import Markdown

    out.print(Markdown(printable(text)))


def _check_tasks(asked: Sequence[str], runs: Sequence["StoredRun"]) -> None:
    from frostbench.plugins.host.errors import missing

    known = {name for run in runs for name in run.manifest.tasks}
    for name in asked:
        if name not in known:
            raise UsageError(missing("task", name, known))
