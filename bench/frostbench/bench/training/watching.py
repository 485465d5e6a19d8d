"""Shows the progress of a training, and writes its losses into the run folder."""

import sys
from collections.abc import Mapping, Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from frostbench.bench.printable import printable
from frostbench.bench.training.run_folder import TrainingRun


class Watcher:
    """A `TrainingWatcher`, used as a context manager around a training."""

    def __init__(self, run: TrainingRun) -> None:
        self._run, self._name = run, ""
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps"),
            TimeRemainingColumn(),
            console=Console(file=sys.stderr),
            disable=not sys.stderr.isatty(),
        )
        self._bar = self._bars.add_task("", total=None, visible=False)

    def __enter__(self) -> "Watcher":
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def begun(
        self, name: str, step: int, steps: int, history: Sequence[tuple[int, Mapping[str, float]]]
    ) -> None:
        """A new bar; losses after the step from which a training resumes are forgotten."""
        self._name = name
        self._bar = self._bars.add_task(printable(name), total=steps, completed=step)
        others = [row for row in self._run.losses() if row[0] != name]
        own = [(name, at, loss, value) for at, losses in history for loss, value in losses.items()]
        self._run.rewrite([*others, *own])

    def advanced(self, step: int) -> None:
        """The bar grows."""
        self._bars.update(self._bar, completed=step)

    def noted(self, step: int, losses: Mapping[str, float]) -> None:
        """The losses go into the folder."""
        self._run.note(self._name, step, losses)
