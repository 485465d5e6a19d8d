"""`frostbench watch`: a run while it runs, in the terminal or on a page."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from frostbench.bench.cli.config import UsageError, read_config, split_words
from frostbench.bench.cli.meaning import PATH
from frostbench.bench.printable import say
from frostbench.bench.store.leases import EXPIRY

if TYPE_CHECKING:
    from rich.console import Group

    from frostbench.bench.watching import RunStanding, RunWatch

PAGE = "watch.html"
SHARE = 4
"""A look is followed by a pause of at least this many times its duration."""
ATTEMPTS = 5  # attempts at reading files that change meanwhile


@dataclass(frozen=True)
class WatchConfig:
    """Keys of `frostbench watch RUN`."""

    once: bool = False  # look a single time
    out: str = field(default="", metadata=PATH)  # folder of a page that loads itself again
    every: float = 2.0  # seconds between two looks, at least
    lease: float = EXPIRY  # seconds without a sign of life after which a worker counts as silent


def watch_command(words: list[str]) -> int:
    """Show how far a run is, until it has ended; nothing is written into its folder."""
    plain, overrides = split_words(words, WatchConfig)
    config = read_config(WatchConfig, overrides)
    if len(plain) != 1:
        raise UsageError("watch one run: frostbench watch RUN.")
    folder, out = Path(plain[0]), Path(config.out).resolve()
    if config.out and folder.resolve() in (out, *out.parents):
        raise UsageError(
            f"out={config.out} lies in the run's folder, into which watch never writes."
        )
    from rich.live import Live

    from frostbench.bench.cli.show import console, print_table
    from frostbench.bench.watching import RunWatch
    from frostbench.bench.watching.terminal import whole

    watcher, screen = RunWatch(folder, config.lease), console()
    if screen.is_terminal and not config.once:
        with Live(console=screen, auto_refresh=False) as shown:
            _follow(watcher, config, lambda run: shown.update(_screen(run), refresh=True))
        return 0
    run = _follow(watcher, config, _Lines() if not config.once else lambda run: None)
    for block in whole(run):
        say(block) if isinstance(block, str) else print_table(block)
    return 0


def _follow(
    watcher: "RunWatch", config: WatchConfig, show: Callable[["RunStanding"], None]
) -> "RunStanding":
    """Look, show and wait until nothing more will change; return the run as it was seen last.

    Raises:
        StoreError: the run cannot be read.
    """
    from frostbench.bench.store.atomic import StoreError

    missed = 0
    while True:
        begun = time.monotonic()
        try:
            run = watcher.look()
        except StoreError:
            missed += 1
            if config.once or missed == ATTEMPTS:
                raise
        else:
            missed = 0
            last = config.once or run.over
            if config.out:
                _write(run, Path(config.out), None if last else config.every)
            show(run)
            if last:
                return run
        time.sleep(max(config.every, SHARE * (time.monotonic() - begun)))


def _screen(run: "RunStanding") -> "Group":
    from frostbench.bench.watching.terminal import live

    return live(run)


class _Lines:
    """Prints a line for each look that shows something new, for pipes."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def __call__(self, run: "RunStanding") -> None:
        from frostbench.bench.watching.sentences import summary, told

        for line in (*told(run), summary(run)):
            if line not in self._said:
                self._said.add(line)
                say(line)
        sys.stdout.flush()


def _write(run: "RunStanding", out: Path, again: float | None) -> None:
    from frostbench.bench.store.atomic import write_whole
    from frostbench.bench.watching.page import page

    write_whole(out / PAGE, page(run, again).encode(), sync=False)
