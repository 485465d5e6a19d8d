"""Shows the progress of a run: bars on a terminal, lines elsewhere, or nothing."""

import sys
import time
from types import TracebackType
from typing import IO, Protocol, cast, runtime_checkable

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.text import Text

from frostbench.bench.printable import note, printable


@runtime_checkable
class Stream(Protocol):
    """Where text can be written: an open text file, or a notebook's substitute."""

    def write(self, text: str, /) -> object:
        """Write text."""
        ...

    def flush(self) -> object:
        """Make the text visible."""
        ...

    def isatty(self) -> bool:
        """Whether somebody looks at it on a terminal."""
        ...


@runtime_checkable
class Progress(Protocol):
    """Is told by the runner how far it is. A context manager around a run."""

    def __enter__(self) -> "Progress":
        """Begin to show."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the screen tidy, however the run ended."""
        ...

    def task(self, label: str, total: int, done: int) -> None:
        """A task begins: how many samples it has at most, and how many are there already."""
        ...

    def advance(self, samples: int) -> None:
        """`count` more samples are stored."""
        ...

    def prompts(self, count: int) -> None:
        """So many prompts were handed to the engine."""
        ...

    def end(self) -> None:
        """The task has ended."""
        ...

    def note(self, sentence: str) -> None:
        """Show a sentence."""
        ...


class Quiet:
    """Shows only what the user must know.

    Attributes:
        noted: the sentences that were shown.
    """

    def __init__(self, stream: Stream | None = None) -> None:
        self._stream = stream
        self.noted: set[str] = set()

    def __enter__(self) -> "Quiet":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def task(self, label: str, total: int, done: int) -> None:
        """Nothing."""

    def advance(self, samples: int) -> None:
        """Nothing."""

    def prompts(self, count: int) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""

    def note(self, sentence: str) -> None:
        """The sentence, on the error stream."""
        self.noted.add(sentence)
        note(sentence, self._stream or sys.stderr)


class Lines(Quiet):
    """A line when a task begins and ends, and one every `every` seconds in between."""

    def __init__(self, stream: Stream | None = None, every: float = 10.0) -> None:
        super().__init__(stream)
        self._every = every
        self._label = ""
        self._total = self._done = self._fresh = 0
        self._begun = self._said = 0.0

    def task(self, label: str, total: int, done: int) -> None:
        """A task begins."""
        self._label, self._total, self._done, self._fresh = label, total, done, 0
        self._begun = self._said = time.monotonic()

    def advance(self, samples: int) -> None:
        """So many more samples; a line if the last is long ago."""
        self._done += samples
        self._fresh += samples
        if time.monotonic() - self._said >= self._every:
            self._said = time.monotonic()
            rate = self._fresh / max(time.monotonic() - self._begun, 1e-9)
            left = (self._total - self._done) / rate if rate else 0.0
            self._say(f"{self._done}/{self._total} samples, {rate:.1f}/s, {_time(left)} left")

    def end(self) -> None:
        """The task has ended."""
        seconds = time.monotonic() - self._begun
        self._say(f"{self._done} samples, {self._fresh} of them now, in {_time(seconds)}")

    def _say(self, text: str) -> None:
        note(f"{self._label}: {text}", self._stream or sys.stdout)


class RichBars(Quiet):
    """A bar for each task, with its rate and the time left."""

    def __init__(self, console: Console | None = None) -> None:
        super().__init__()
        self._bars = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[prompts]} prompts"),
            console=console or Console(),
        )
        self._current = self._bars.add_task("", total=0, visible=False, prompts=0)
        self._prompts = 0

    def __enter__(self) -> "RichBars":
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def task(self, label: str, total: int, done: int) -> None:
        """A new bar."""
        self._prompts = 0
        self._current = self._bars.add_task(
            printable(label), total=total, completed=done, prompts=0
        )

    def advance(self, samples: int) -> None:
        """The bar grows."""
        self._bars.advance(self._current, samples)

    def prompts(self, count: int) -> None:
        """The count beside the bar grows."""
        self._prompts += count
        self._bars.update(self._current, prompts=self._prompts)

    def end(self) -> None:
        """The bar is full, even where there were fewer samples than the limit."""
        for task in self._bars.tasks:
            if task.id == self._current:
                self._bars.update(self._current, total=task.completed)

    def note(self, sentence: str) -> None:
        """The sentence, above the bars."""
        self.noted.add(sentence)
        self._bars.console.print(printable(sentence), markup=False, highlight=False)


class _Rate(ProgressColumn):
    """Samples a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f}/s")


def progress_for(stream: Stream, *, quiet: bool) -> Quiet:
    """Bars on a terminal, lines in a file or a pipe, nothing if `quiet`."""
    if quiet:
        return Quiet()
    return RichBars(Console(file=cast(IO[str], stream))) if stream.isatty() else Lines(stream)


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
