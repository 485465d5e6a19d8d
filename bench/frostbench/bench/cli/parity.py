"""`frostbench parity`: a run of a preset beside what the papers report."""

from pathlib import Path

from frostbench.bench.cli.config import PluginConfig, UsageError, read_config, split_words
from frostbench.bench.printable import say


def parity_command(words: list[str]) -> int:
    """Print the comparison, and write it to `parity.md` in the run's folder."""
    plain, overrides = split_words(words, PluginConfig)
    read_config(PluginConfig, overrides)
    if len(plain) != 1:
        raise UsageError("which run? frostbench parity RUN.")
    from frostbench.bench.leaderboard import build
    from frostbench.bench.leaderboard.parity import compared, parity_lines
    from frostbench.bench.store.reader import open_run

    run = open_run(Path(plain[0]))
    preset = run.manifest.config.get("preset")
    if not preset:
        raise UsageError(
            f"{plain[0]} is of no preset, so that nobody knows which table it stands beside; "
            "`frostbench list presets` shows them."
        )
    lines = list(parity_lines(compared(build([run]))))
    if not lines:
        say(f"nothing is reported that the preset {preset!r} measured in {plain[0]}.")
        return 0
    text = "\n".join(lines[1:]) + "\n"
    (Path(plain[0]) / "parity.md").write_text(text, encoding="utf-8", errors="backslashreplace")
    say(text.rstrip())
    return 0
