"""What a method leaves of the multimodal model that it sits on: answers that stay the same."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from frostbench.bench.leaderboard.facts import Frozen, frozen
from frostbench.bench.store.manifest import Manifest
from frostbench.bench.store.reader import StoredRun
from frostbench.bench.store.records import Record

BARE = "bare_lmm"
"""The control that puts a method's requests to the frozen model, as if there were no method."""

TITLE = "What is left of the multimodal model"


@dataclass(frozen=True)
class Preserved:
    """Answers of a method that are those of the bare model, token for token, and of how many.

    Two answers are the same where their texts are, and as many tokens were generated. A sample that
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


def preserved(runs: Sequence[StoredRun]) -> tuple[Preserved, ...]:
    """For each method that brings the bare model, task and protocol, what stayed the same."""
    found = []
    for number, run in enumerate(runs, start=1):
        pairs: dict[tuple[str, str, str | None], list[tuple[Record, Record]]] = defaultdict(list)
        records = {record.key: record for record in run.records() if record.status == "scored"}
        for record in records.values():
            if record.control != BARE or record.method is None:
                continue
            own = records.get((record.task, record.protocol, record.method, None, record.sample))
            if own is not None:
                pairs[record.method, record.task, record.protocol].append((own, record))
        tasks = run.manifest.tasks
        order = {name: place for place, name in enumerate(tasks)}
        for (method, task, protocol), both in sorted(
            pairs.items(), key=lambda pair: (pair[0][0], order[pair[0][1]], pair[0][2] or "")
        ):
            same = sum(_same(own, bare) for own, bare in both)
            suite = tasks[task].suite
            found.append(Preserved(method, suite, task, protocol, same, len(both), number))
    return tuple(found)


def kept_frozen(rows: Sequence[Preserved], manifests: Sequence[Manifest]) -> dict[int, Frozen]:
    """By run, whether its backbones' checksums are those of before."""
    return {row.run: frozen(manifests[row.run - 1].backbones) for row in rows}


def _same(own: Record, bare: Record) -> bool:
    return (own.prediction.text, own.cost.generated_tokens) == (
        bare.prediction.text,
        bare.cost.generated_tokens,
    )
