"""Rehearsals: three steps of every training, and from their counts what the whole would take.

The first two steps of each training and its last are computed on a share of its batch, and all
besides the steps (figures, codebooks) on a few images: so every part is made, in minutes and on any
device, of the sizes that it is to have, and knows nothing.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from frostbench.bench.cli.config import UsageError
from frostbench.bench.printable import say
from frostbench.bench.training.parts import train_part
from frostbench.plugins.contract.recipe import Recipe, StepCost, Workshop
from frostbench.plugins.host.registry import Registered

SHARE = 8  # a rehearsal computes one in so many of a batch
UTILISED = 0.3  # share of a device's peak that products of this size reach; an assumption
CALL = 8e-6  # seconds that an operator takes at the least, to be launched; an assumption


@dataclass(frozen=True)
class RehearsedTraining:
    """A training with the cost of its whole batch's step."""

    name: str
    steps: int
    cost: StepCost

    def seconds(self, peak: float) -> float:
        """An estimate for a device of `peak` operations a second."""
        return self.steps * max(self.cost.work / (peak * UTILISED), self.cost.calls * CALL)


@dataclass
class Rehearsals:
    """What trainings told, whose steps computed one part in `share` of a batch."""

    share: float = 1.0
    found: list[RehearsedTraining] = field(default_factory=list)

    def tried(self, name: str, steps: int, cost: StepCost) -> None:
        """Note a training."""
        whole = replace(cost, work=round(cost.work * self.share))
        self.found.append(RehearsedTraining(name, steps, whole))


def rehearse(
    recipes: Iterable[Registered[Recipe]],
    workshop_of: Callable[[str], Workshop],
    words: Mapping[str, object],
    peak: tuple[float, str],
) -> None:
    """Rehearse recipes into the pack of their workshops, and print what they would take.

    Raises:
        UsageError: a part is there already.
    """
    told = Rehearsals()
    with TemporaryDirectory() as scratch:
        for recipe in recipes:
            workshop = workshop_of(recipe.name)
            if recipe.card.is_done(workshop.pack):
                raise UsageError(
                    f"{workshop.pack} has {recipe.name} already; a rehearsal makes parts that know "
                    "nothing, and needs a folder of its own."
                )
            settings, told.share = rehearsal_settings(recipe.card, workshop.settings)
            shop = replace(
                workshop, settings=settings, scratch=Path(scratch), workers=0, rehearsal=told
            )
            begun = time.monotonic()
            known = len(told.found)
            train_part(recipe, shop, {**words, "rehearse": "true"})
            say(f"{recipe.name}: rehearsed in {time.monotonic() - begun:.0f} s")
            for line in rows(told.found[known:], peak[0]):
                say(line)  # at once, since another part may fail
    for line in lines(told.found, *peak):
        say(line)


def rehearsal_settings(recipe: Recipe, given: Mapping[str, str]) -> tuple[dict[str, str], float]:
    """A recipe's settings in a rehearsal, and the number by which its batch is divided.

    A batch is divided where its size is given; otherwise the recipe alone knows it.
    """
    if not recipe.shared or set(recipe.shared) - set(given):
        return {**given, **recipe.few}, 1.0
    whole = {key: int(given[key]) for key in recipe.shared}
    parts = {key: max(1, size // SHARE) for key, size in whole.items()}
    settings = {**given, **recipe.few, **{key: str(size) for key, size in parts.items()}}
    return settings, sum(whole.values()) / sum(parts.values())


HEADS = ("training", "trained numbers", "steps", "TFLOP a step", "operators", "PFLOP", "min")
WIDTHS = (24, 15, 6, 12, 9, 7, 5)


def lines(found: Sequence[RehearsedTraining], peak: float, told: str) -> list[str]:
    """A table of trainings; `peak` is in operations a second, and `told` names the device."""
    work = sum(one.cost.work * one.steps for one in found) / 1e15
    minutes = sum(one.seconds(peak) for one in found) / 60
    return [
        _line(HEADS),
        *rows(found, peak),
        _line(("in all", "", "", "", "", f"{work:.2f}", f"{minutes:.1f}")),
        f"An estimate from counts, not measured: the larger of a step's work at {UTILISED:.0%} of "
        f"{told}, and {CALL * 1e6:g} microseconds for each of its operators. Besides, images and "
        "rows of text are made by the processor, and figures are measured.",
    ]


def rows(found: Iterable[RehearsedTraining], peak: float) -> list[str]:
    """The table's lines of some trainings."""
    return [
        _line(
            (
                one.name,
                f"{one.cost.numbers:,}",
                f"{one.steps:,}",
                f"{one.cost.work / 1e12:.3f}",
                f"{one.cost.calls:,}",
                f"{one.cost.work * one.steps / 1e15:.2f}",
                f"{one.seconds(peak) / 60:.1f}",
            )
        )
        for one in found
    ]


def _line(cells: Sequence[str]) -> str:
    first, *others = WIDTHS
    return "  ".join([cells[0].ljust(first), *map(str.rjust, cells[1:], others)])
