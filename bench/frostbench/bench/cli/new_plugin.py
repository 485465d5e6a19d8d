"""`frostbench new-plugin`: a small working plugin to start from."""

from pathlib import Path

from frostbench.bench.cli.config import NewPluginConfig, UsageError, read_config, split_words
from frostbench.bench.printable import say


def new_plugin_command(words: list[str]) -> int:
    """Write a package with a working plugin, its tests and its entry point."""
    plain, overrides = split_words(words)
    config = read_config(NewPluginConfig, overrides)
    if len(plain) != 1:
        raise UsageError("frostbench new-plugin takes one NAME.")
    from frostbench.bench.store.atomic import writing
    from frostbench.plugins.kit.new_plugin import write

    with writing(Path(config.out, plain[0])):
        folder = write(plain[0], Path(config.out), config.kind)
    say(f"{folder}: install it with pip install -e {folder}; its README.md says what comes then")
    return 0
