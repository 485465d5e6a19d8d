"""`frostbench track`, and trackers during a run: passes results on to trackio, wandb, MLflow."""

import importlib.util
import select
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frostbench.bench.cli.config import (
    RunConfig,
    UsageError,
    own_settings,
    read_config,
    split_words,
)
from frostbench.bench.printable import say
from frostbench.bench.runner.crew import how_it_ended
from frostbench.plugins.host.errors import PluginFailedError, describe, missing
from frostbench.plugins.host.settings import read_settings

if TYPE_CHECKING:
    from frostbench.bench.tracking import TrackerSettings

PATIENCE = 60.0
"""Seconds that a tracker has after the run, before it is ended."""
MOST_LINES = 50  # the last lines of a tracker's error output that are kept
OURS = "frostbench: "


@dataclass(frozen=True)
class TrackConfig:
    """Keys of `frostbench track RUN`."""

    trackers: list[str] = field(default_factory=list)  # trackio, wandb, mlflow
    tracker: dict[str, Any] = field(default_factory=dict)  # tracker.NAME.KEY
    led: bool = False  # started by `frostbench run`, and ends when that has ended
    resumed: bool = False  # earlier samples were passed on before


def track_command(words: list[str]) -> int:
    """Pass a run on to a tracker until nothing more is stored."""
    plain, overrides = split_words(words, TrackConfig)
    config = read_config(TrackConfig, overrides)
    if len(plain) != 1:
        raise UsageError("track one run: frostbench track RUN trackers=NAME.")
    found = chosen(config.trackers, config.tracker)
    if len(found) != 1:
        raise UsageError("track takes one tracker: trackers=trackio, wandb or mlflow.")
    ((name, settings),) = found
    folder = Path(plain[0])

    from frostbench.bench.store.reader import read_manifest
    from frostbench.bench.tracking import Tracker, follow, open_sink

    read_manifest(folder)  # before anything is opened there

    def over(most: float) -> bool:
        """Whether nothing more will be stored."""
        if not config.led:
            time.sleep(most if read_manifest(folder).status == "running" else 0)
            return read_manifest(folder).status != "running"
        ready, _, _ = select.select([sys.stdin], [], [], most)
        return bool(ready)  # the run never writes there; end of file means that it closed its end

    try:
        sink = open_sink(name, settings)
        with Tracker(sink, folder, settings, resumed=config.resumed) as tracker:
            follow(folder, tracker, over)
    except Exception as error:  # errors of a package that is not ours
        raise PluginFailedError(f"tracker {name}: {describe(error).rstrip('.')}.") from error
    say(f"{folder}: handed on to {name}.")
    return 0


def chosen(names: Sequence[str], tree: Mapping[str, Any]) -> list[tuple[str, "TrackerSettings"]]:
    """The trackers that were named, with their settings; no package of theirs is imported.

    Raises:
        LookupError: there is no such tracker.
        UsageError: its package is not installed, or a setting is wrong.
    """
    from frostbench.bench.tracking.kinds import TRACKERS, TrackerSettings

    for name in (*names, *tree):
        if name not in TRACKERS:
            raise LookupError(missing("tracker", str(name), TRACKERS))
    found = []
    for name in dict.fromkeys(names):
        if importlib.util.find_spec(name) is None:
            raise UsageError(
                f"trackers={name}: its package is not installed; pip install 'frostbench[{name}]'."
            )
        own = own_settings(tree, name, "tracker")
        try:
            found.append((name, read_settings(TrackerSettings, own, f"tracker.{name}")))
        except ValueError as error:
            raise UsageError(str(error)) from error
    return found


class Trackers:
    """The trackers of a run, each in a process of its own that reads the run's folder.

    So there is one observer, however many workers there are; and whatever a tracker does, the run
    neither waits for it nor ends with it.
    """

    def __init__(
        self,
        folder: str,
        trackers: Sequence[tuple[str, "TrackerSettings"]],
        note: Callable[[str], None],
        patience: float = PATIENCE,
    ) -> None:
        self._folder = folder
        self._trackers = trackers
        self._note = note
        self._patience = patience
        self._begun: list[_Following] = []

    def begin(self, known: int) -> None:
        """Start them; `stored` samples are there already."""
        for name, settings in self._trackers:
            keys = [f"tracker.{name}.{key}={value}" for key, value in asdict(settings).items()]
            words = [self._folder, f"trackers={name}", *keys, "led=true"]
            words += ["resumed=true"] if known else []
            try:
                self._begun.append(_Following(name, words, self._note))
            except OSError as error:
                self._note(f"tracker {name} cannot be started: {error.strerror or error}.")

    def end(self) -> None:
        """Give them some time to pass on what is left."""
        for one in self._begun:
            one.close()
        given_up = time.monotonic() + self._patience
        for one in self._begun:
            one.end(given_up)
        self._begun.clear()


class _Following:
    """The process of a tracker; a failure is reported once, when it happens."""

    def __init__(self, name: str, words: Sequence[str], note: Callable[[str], None]) -> None:
        self._name = name
        self._note = note
        self._late = False
        self._process = subprocess.Popen(
            [sys.executable, "-m", "frostbench", "track", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C ends the run, and this after it
        )
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Tell it that the run has ended."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()

    def end(self, given_up: float) -> None:
        """Wait until it has ended, within its time limit."""
        self._thread.join(max(0.0, given_up - time.monotonic()))
        if self._thread.is_alive():
            self._late = True
            self._process.kill()
            self._note(
                f"tracker {self._name} had not ended by itself a while after the run, and was "
                "ended; `frostbench track` hands the run on again."
            )
            self._thread.join()

    def _listen(self) -> None:
        assert self._process.stderr is not None
        said: deque[str] = deque(maxlen=MOST_LINES)
        with self._process.stderr as stream:
            said.extend(line.decode(errors="replace").rstrip() for line in stream)
        code = self._process.wait()
        if code and not self._late:
            ours = [line.removeprefix(OURS) for line in said if line.startswith(OURS)]
            why = ours[-1] if ours else how_it_ended(code)
            why = why.removeprefix(f"tracker {self._name}: ").removesuffix(".")
            self._note(f"tracker {self._name}: {why}; the run goes on without it.")


@contextmanager
def tracked(config: RunConfig, note: Callable[[str], None]) -> Iterator[Callable[[int], None]]:
    """A function to call when a run has begun, so that the trackers that it names follow it.

    Raises:
        LookupError: there is no such tracker.
        UsageError: its package is not installed, or a setting is wrong.
    """
    trackers = Trackers(config.out, chosen(config.trackers, config.tracker), note)
    with ExitStack() as stack:
        stack.callback(trackers.end)
        yield trackers.begin
