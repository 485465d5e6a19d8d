"""The training loop: steps that can be killed and resumed.

A method, or whoever offers a backbone, registers a `Recipe` through the hook `frostbench_recipes`;
`frostbench train` orders them by what they need and runs those whose part is missing.
"""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, runtime_checkable

from frostbench.plugins.contract.recipe import Report, Workshop
from frostbench.plugins.parts.training.folder import DataclassInstance


@runtime_checkable
class Stateful(Protocol):
    """Anything with a state to save: modules, optimisers, schedules, sources of batches."""

    def state_dict(self) -> dict[str, Any]:
        """The whole state, as tensors and plain values."""
        ...

    def load_state_dict(self, state: dict[str, Any], /) -> object:
        """Take a state that `state_dict` gave."""
        ...


@dataclass
class TrainingProgress:
    """How far a training has come, and what it cost until now."""

    step: int = 0
    seconds: float = 0.0
    history: list[tuple[int, dict[str, float]]] = field(default_factory=list)

    def noted(self, means: dict[str, float], steps: int) -> str:
        """Keep losses since the last note; the line that tells of them, of all `steps`."""
        self.history.append((self.step, means))
        left = self.seconds / self.step * (steps - self.step)
        values = "  ".join(f"{key} {value:.4g}" for key, value in means.items())
        return f"{self.step}/{steps}  {values}  left {left / 60:.1f} min"

    def report(
        self, figures: Mapping[str, float], settings: DataclassInstance, notes: tuple[str, ...] = ()
    ) -> Report:
        """What a recipe says of this training, with figures of what it stored."""
        history = tuple(self.history)
        return Report(self.step, self.seconds, figures, history, asdict(settings), notes)


def train(
    workshop: Workshop,
    name: str,
    parts: Mapping[str, Stateful],
    step: Callable[[int], Mapping[str, float]],
    steps: int,
    *,
    log_every: int = 50,
    save_every: int = 250,
    stop: Callable[[TrainingProgress], bool] | None = None,
) -> TrainingProgress:
    """Call `step(i)` for i = 0 .. steps - 1, resuming where an earlier process was killed.

    `step` draws its randomness from `i` and the workshop's seed alone, so that a resumed training
    equals an uninterrupted one; it returns losses by name, of which the mean since the last
    log line is logged. The checkpoint `scratch/<name>.pt` is replaced atomically every
    `save_every` steps. `stop` is asked at each log line and may end the training early.
    """
    import torch

    workshop.scratch.mkdir(parents=True, exist_ok=True)
    path = workshop.scratch / f"{name}.pt"
    progress = TrainingProgress()
    if path.exists():
        state = torch.load(path, map_location="cpu", weights_only=True)
        for key, part in parts.items():
            part.load_state_dict(state["parts"][key])
        progress = TrainingProgress(state["step"], state["seconds"], state["history"])
        workshop.log(f"{name}: resumed at step {progress.step} of {steps}")

    def save() -> None:
        temporary = path.with_suffix(".new")
        torch.save(
            {
                "parts": {key: part.state_dict() for key, part in parts.items()},
                "step": progress.step,
                "seconds": progress.seconds,
                "history": progress.history,
            },
            temporary,
        )
        os.replace(temporary, path)

    since: list[Mapping[str, float]] = []
    while progress.step < steps:
        begun = time.perf_counter()
        since.append(step(progress.step))
        progress.seconds += time.perf_counter() - begun
        progress.step += 1
        if progress.step % log_every == 0 or progress.step == steps:
            workshop.log(f"{name} {progress.noted(_means(since), steps)}")
            since = []
            if stop is not None and stop(progress):
                save()
                break
        if progress.step % save_every == 0 or progress.step == steps:
            save()
    return progress


def _means(values: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each name over the mappings that carry it."""
    sums: dict[str, list[float]] = {}
    for value in values:
        for key, number in value.items():
            sums.setdefault(key, []).append(float(number))
    return {key: sum(numbers) / len(numbers) for key, numbers in sums.items()}
