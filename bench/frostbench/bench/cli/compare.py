"""`frostbench compare`: two runs beside one another."""

from pathlib import Path

from frostbench.bench.cli.config import CompareConfig, UsageError, read_config, split_words
from frostbench.bench.printable import say


def compare_command(words: list[str]) -> int:
    """Print what differs between two runs, and write it as a page where `out` says so."""
    plain, overrides = split_words(words, CompareConfig)
    config = read_config(CompareConfig, overrides)
    wanted = 1 if config.previous else 2
    if len(plain) != wanted:
        raise UsageError(
            "previous=true takes one run: frostbench compare RUN previous=true."
            if config.previous
            else f"compare takes two runs, not {len(plain)}: frostbench compare A B, or "
            "frostbench compare RUN previous=true."
        )
    from frostbench.bench.cli.show import console, print_table
    from frostbench.bench.comparison import chosen, compared_runs, write_comparison
    from frostbench.bench.comparison.terminal import blocks
    from frostbench.bench.store.previous import previous_of
    from frostbench.bench.store.reader import open_run

    folders = [Path(name) for name in plain]
    if config.previous:
        folders.insert(0, previous_of(folders[0]))
    one, two = (open_run(folder) for folder in folders)
    comparison = compared_runs(
        one,
        two,
        (str(folders[0]), str(folders[1])),
        methods=chosen(config.methods, one, two) if config.methods else None,
        whole=config.all,
    )
    for block in blocks(comparison, console().is_terminal):
        print_table(block)
    if config.out:
        write_comparison(comparison, Path(config.out))
        say(f"\n{config.out}/index.html, comparison.json")
    return 0
