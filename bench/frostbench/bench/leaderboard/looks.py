"""Markers and line styles of the controls in figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Generic, TypeVar

from frostbench.bench.leaderboard.tables import Table

L = TypeVar("L")


@dataclass(frozen=True)
class Looks(Generic[L]):
    """Markers or dashes: of controls that need no method, of ceilings, and of all others.

    Within a kind they are given in the order in which tasks name the controls, again from the first
    where there are more controls than looks.
    """

    free: tuple[L, ...]
    ceilings: tuple[L, ...]
    others: tuple[L, ...]

    def of(self, tables: Sequence[Table], *, drawn: bool) -> dict[str, L]:
        """The look of each control; with `drawn`, only of those that are drawn in curves."""
        free, ceilings, others = map(cycle, (self.free, self.ceilings, self.others))
        controls = {name: one for table in tables for name, one in table.task.controls.items()}
        alone = {line.row.control for x in tables for line in x.lines if line.row.of is None}
        return {
            name: next(free if name in alone else ceilings if control.ceiling else others)
            for name, control in controls.items()
            if control.drawn or not drawn
        }
