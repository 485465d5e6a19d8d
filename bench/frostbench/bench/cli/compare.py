"""`frostbench compare`: what differs between two runs."""

from dataclasses import dataclass, field
from pathlib import Path

from frostbench.bench.cli.config import UsageError, read_config, split_words
from frostbench.bench.cli.meaning import PATH
from frostbench.bench.printable import say


@dataclass(frozen=True)
class CompareConfig:
    """Keys of `frostbench compare A B`."""

    methods: list[str] = field(default_factory=list)  # v2l, or v2l:mine where B calls it mine
    previous: bool = False  # what again=true set aside is A
    all: bool = False  # every metric, and the controls
    out: str = field(default="", metadata=PATH)  # folder of a page; none without it
    plugins: list[str] = field(default_factory=list, metadata=PATH)  # single-file plugins
    plugins_disabled: list[str] = field(default_factory=list)  # written plugins.disabled


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
    from frostbench.bench.comparison.write import DATA
    from frostbench.bench.store.atomic import check_replaceable
    from frostbench.bench.store.previous import previous_of
    from frostbench.bench.store.reader import open_run

    if config.out:
        check_replaceable(Path(config.out), DATA)
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
