"""How many answers of a multimodal model stay the same under a method built on it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from frostbench.bench.leaderboard.facts import Frozen, frozen
from frostbench.bench.store.manifest import Manifest, TaskEntry
from frostbench.bench.store.tables import NO_PLACES, SampleTable

BARE = "bare_lmm"
"""The control that puts a method's requests to the frozen model, without the method."""

TITLE = "What is left of the multimodal model"


@dataclass(frozen=True)
class Preserved:
    """How many answers of a method equal the bare model's, token for token, and out of how many.

    Two answers are the same if their texts and their numbers of tokens are. A sample that
    failed in either row is not counted.
    """

    method: str
    suite: str
    task: str
    protocol: str | None
    same: int
    of: int
    run: int

    @property
    def share(self) -> float:
        """The share of answers that are the same, in [0, 1]."""
        return self.same / self.of


def preserved(
    table: SampleTable, task: TaskEntry, protocol: str | None, run: int
) -> Iterable[Preserved]:
    """For each method that brings the bare model, what stayed the same; by the methods' names."""
    for method, control in sorted(table.rows, key=lambda row: row[0] or ""):
        if control == BARE and method is not None:
            same, of = _same(table, method)
            if of:
                yield Preserved(method, task.suite, task.name, protocol, same, of, run)


def kept_frozen(rows: Sequence[Preserved], manifests: Sequence[Manifest]) -> dict[int, Frozen]:
    """By run, whether its backbones' checksums are unchanged."""
    return {row.run: frozen(manifests[row.run - 1].backbones) for row in rows}


def _same(table: SampleTable, method: str) -> tuple[int, int]:
    """How many answers of a method are those of its bare model, and how many both gave."""
    sides = [table.rows.get((method, control), NO_PLACES) for control in (None, BARE)]
    own, bare = table.paired(*(places[table.scored[places]] for places in sides))
    tokens = np.nan_to_num(table.numbers("cost.generated_tokens"))
    same = (tokens[own] == tokens[bare]) & table.alike("prediction.text", own, bare)
    return int(same.sum()), len(own)
