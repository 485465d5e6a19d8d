"""The training loop: steps that can be killed and resumed.

A plugin registers a `Recipe` through the hook `frostbench_recipes`;
`frostbench train` orders them by what they need and runs those whose part is missing.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field

from frostbench.plugins.contract.recipe import Rehearsal, Report, Workshop
from frostbench.plugins.parts.training.checkpoint import Checkpoint
from frostbench.plugins.parts.training.checkpoint import Stateful as Stateful
from frostbench.plugins.parts.training.folder import DataclassInstance
from frostbench.plugins.parts.training.processes import Processes
from frostbench.plugins.parts.training.rehearsal import rehearsed, taken

MOST_NOTES = 10_000  # log lines of a training, whatever its length


@dataclass
class TrainingProgress:
    """How far a training has come, and what it has cost so far."""

    step: int = 0
    seconds: float = 0.0
    history: list[tuple[int, dict[str, float]]] = field(default_factory=list)

    def noted(self, means: dict[str, float], steps: int) -> str:
        """Store the losses since the last note; return the log line about them."""
        self.history.append((self.step, means))
        left = self.seconds / self.step * (steps - self.step)
        values = "  ".join(f"{key} {value:.4g}" for key, value in means.items())
        return f"{self.step}/{steps}  {values}  left {left / 60:.1f} min"

    def then(self, later: "TrainingProgress") -> "TrainingProgress":
        """This and a later stage as one."""
        after = [(self.step + step, losses) for step, losses in later.history]
        return TrainingProgress(
            self.step + later.step, self.seconds + later.seconds, [*self.history, *after]
        )

    def report(
        self, figures: Mapping[str, float], settings: DataclassInstance, notes: tuple[str, ...] = ()
    ) -> Report:
        """The recipe's report on this training, with figures of what it stored."""
        history = tuple(self.history)
        return Report(self.step, self.seconds, figures, history, asdict(settings), notes)


def train(
    workshop: Workshop,
    name: str,
    parts: Mapping[str, Stateful],
    step: Callable[[int], Mapping[str, float]],
    steps: int,
    processes: Processes | None = None,
    /,
    *,
    log_every: int = 50,
    save_every: int = 250,
    stop: Callable[[TrainingProgress], bool] | None = None,
) -> TrainingProgress:
    """Call `step(i)` for i = 0 .. steps - 1, resuming where an earlier process was killed.

    `step` draws its randomness from `i` and the workshop's seed alone, so that a resumed training
    equals an uninterrupted one; it returns losses by name, whose mean since the last log line is
    logged. The checkpoint `scratch/<name>.pt` is replaced atomically every `save_every` steps.
    `stop` is asked at each log line and may end the training early. Among several `processes` the
    first one logs and saves, and any number of them can resume from that. A rehearsal takes three.

    Raises:
        ValueError: the checkpoint is damaged, or belongs to another training.
    """
    log_every = workshop.log_every or max(log_every, steps // MOST_NOTES)
    save_every = workshop.save_every or save_every
    checkpoint = Checkpoint(workshop.scratch / f"{name}.pt", parts)
    leads = processes is None or processes.rank == 0
    if workshop.rehearsal is not None:
        return _rehearse(workshop.rehearsal, name, parts, step, steps)
    progress = TrainingProgress(*(checkpoint.read() or ()))
    watcher = workshop.watcher if leads else None
    if leads:
        _begin(workshop, name, progress, steps)

    def save() -> None:
        if leads:
            checkpoint.write((progress.step, progress.seconds, progress.history))
        if processes is not None:
            processes.wait()  # a kill from here on finds a complete file

    since: list[Mapping[str, float]] = []
    while progress.step < steps:
        begun = time.perf_counter()
        since.append(step(progress.step))
        progress.seconds += time.perf_counter() - begun
        progress.step += 1
        if watcher is not None:
            watcher.advanced(progress.step)
        if progress.step % log_every == 0 or progress.step == steps:
            means = _means(since) if processes is None else processes.means(_means(since))
            line, since = progress.noted(means, steps), []
            if leads:
                _note(workshop, f"{name} {line}", progress)
            if stop is not None and stop(progress):
                save()
                break
        if progress.step % save_every == 0 or progress.step == steps:
            save()
    return progress


def _rehearse(
    told: Rehearsal,
    name: str,
    parts: Mapping[str, Stateful],
    step: Callable[[int], Mapping[str, float]],
    steps: int,
) -> TrainingProgress:
    if not steps:  # a stage that is left out
        return TrainingProgress()
    losses, cost = rehearsed(step, steps, parts)
    told.tried(name, steps, cost)
    count = len(taken(steps))
    return TrainingProgress(count, count * cost.seconds, [(count, losses)])


def _begin(workshop: Workshop, name: str, progress: TrainingProgress, steps: int) -> None:
    if progress.step:
        workshop.log(f"{name}: resumed at step {progress.step} of {steps}")
    if workshop.watcher is not None:
        workshop.watcher.begun(name, progress.step, steps, progress.history)


def _note(workshop: Workshop, line: str, progress: TrainingProgress) -> None:
    workshop.log(line)
    if workshop.watcher is not None:
        workshop.watcher.noted(*progress.history[-1])


def _means(values: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each name over the mappings that carry it."""
    sums: dict[str, list[float]] = {}
    for value in values:
        for key, number in value.items():
            sums.setdefault(key, []).append(float(number))
    return {key: sum(numbers) / len(numbers) for key, numbers in sums.items()}
