"""`frostbench show`: a run's tables in the terminal."""

from pathlib import Path

from frostbench.bench.cli.config import PluginConfig, UsageError, read_config, split_words


def show_command(words: list[str]) -> int:
    """Print the tables of one run, or of several side by side."""
    plain, overrides = split_words(words, PluginConfig)
    read_config(PluginConfig, overrides)
    if not plain:
        raise UsageError("which run? frostbench show RUN.")
    from rich.console import Console
    from rich.markdown import Markdown

    from frostbench.bench.leaderboard import build
    from frostbench.bench.leaderboard.markdown import markdown
    from frostbench.bench.printable import printable
    from frostbench.bench.store.reader import open_run

    board = build([open_run(Path(folder)) for folder in plain])
    text = printable(markdown(board, " ".join(plain)))
    console = Console()
    # Brackets of metrics' ids are no markup.
    console.print(Markdown(text) if console.is_terminal else text, markup=False)
    return 0
