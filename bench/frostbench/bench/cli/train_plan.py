"""`frostbench train RECIPE dry=true`: what a training would cost."""

import time
from collections.abc import Mapping
from typing import Any

from frostbench.bench.cli.config import UsageError
from frostbench.bench.cli.train_config import TrainConfig
from frostbench.bench.printable import say
from frostbench.plugins.contract.cards import Offer
from frostbench.plugins.contract.recipe import DryRun, Recipe, Workshop
from frostbench.plugins.host.registry import Registered

SIDE = 2048  # side of the matrices that a device is measured with
ROUNDS = 5


def say_plan(recipe: Registered[Recipe], workshop: Workshop, config: TrainConfig) -> None:
    """Count a training, and print what it takes.

    Raises:
        UsageError: the batch cannot be shared as requested.
    """
    plan: Any = Offer(recipe.name, recipe.card.plan).load()
    made = plan(workshop)
    if not isinstance(made, DryRun):
        raise UsageError(f"recipe {recipe.name!r} counts its training as {made!r}, not a DryRun.")
    for line in lines(recipe.name, made, *peak_of(workshop.device, config.peak)):
        say(line)


def lines(name: str, plan: DryRun, peak: float, told: str) -> list[str]:
    """A dry run as lines; `peak` is in operations a second, and `told` names the device."""
    total = sum(plan.work.values())
    fastest = peak / total
    return [
        f"{name}: {plan.steps:,} steps of {plan.batch} images",
        *_counts("trained parameters", plan.trained),
        *_counts("frozen parameters", plan.frozen),
        *(f"  {what}: {_size(size)}" for what, size in plan.bytes_.items()),
        f"  kept for gradients, for one share: {_size(plan.kept)}",
        f"  memory in all, counted: {_size(sum(plan.bytes_.values()) + plan.kept)}",
        *(
            f"  work of {phase}: {work / 1e12:.3f} TFLOP a step"
            for phase, work in plan.work.items()
        ),
        f"  work in all: {total / 1e12:.3f} TFLOP a step, {total * plan.steps / 1e18:.2f} EFLOP",
        f"  estimate, not measured: at most {fastest:.3g} steps/s at {told}, "
        f"{plan.steps / fastest / 3600:,.1f} hours",
        *(f"  {note}" for note in plan.notes),
    ]


def _counts(what: str, counts: Mapping[str, int]) -> list[str]:
    parts = ", ".join(f"{part} {count:,}" for part, count in counts.items())
    return [f"  {what}: {sum(counts.values()):,} ({parts})"]


def _size(count: int) -> str:
    """Bytes for people.

    >>> _size(3 << 29)
    '1.50 GiB'
    """
    return f"{count / (1 << 30):.2f} GiB"


def peak_of(device: str, asked: float) -> tuple[float, str]:
    """The most operations a second of a device: as given, or as measured now."""
    if asked:
        return asked * 1e12, f"the whole of {asked:g} TFLOP/s"
    import torch

    matrix = torch.ones(SIDE, SIDE, device=device)
    seconds = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        float((matrix @ matrix)[0, 0])  # waits for the device
        seconds.append(time.perf_counter() - begun)
    peak = 2 * SIDE**3 / min(seconds)
    return peak, f"this device's float32 matrix products ({peak / 1e12:.3f} TFLOP/s, measured)"
