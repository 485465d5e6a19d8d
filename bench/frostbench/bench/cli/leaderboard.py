"""`frostbench leaderboard`: writes pages and tables from runs."""

from pathlib import Path

from frostbench.bench.cli.config import LeaderboardConfig, UsageError, read_config, split_words
from frostbench.bench.printable import say


def leaderboard_command(words: list[str]) -> int:
    """Write the leaderboard's pages and data."""
    plain, overrides = split_words(words, LeaderboardConfig)
    config = read_config(LeaderboardConfig, overrides)
    if not plain:
        raise UsageError("which run? frostbench leaderboard RUN... out=DIR.")
    from frostbench.bench.leaderboard import build, write
    from frostbench.bench.leaderboard.write import BOARD
    from frostbench.bench.store.atomic import check_replaceable
    from frostbench.bench.submissions import open_runs

    check_replaceable(Path(config.out), BOARD)
    runs = open_runs(plain)
    write(build(runs), runs, Path(config.out), title=config.title)
    say(f"{config.out}/index.html, leaderboard.json, leaderboard.md, leaderboard.csv")
    return 0
