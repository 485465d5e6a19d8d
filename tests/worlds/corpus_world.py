"""A task whose metrics need a corpus and sums, for the runner's world.

Words of a corpus weigh by how few of its targets they are; letters are counted and pooled.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from runner_world import NAMES, Accuracy, Blocks, Naming, Ways, method, picture, plan_of

from frostbench.bench.runner.plan import Plan, PlannedTask
from frostbench.plugins import Image
from frostbench.plugins.contract.task import Target

REFUSED = "grey"
"""A prediction that `Letters` cannot count."""


class Telling(Naming):
    """Naming, scored by words that are rare and by letters that are right."""

    card = replace(
        Naming.card,
        name="telling",
        metrics=("accuracy[exact]", "rarity[corpus]", "letters[pooled]"),
        ranks_by="rarity[corpus]",
    )

    def corpus(self, data: Callable[[str], Image], seed: int) -> Sequence[Target]:
        return [NAMES[0], *((name, NAMES[0]) for name in NAMES)]


@dataclass
class RarityOn:
    """The logarithm of how rare the target is, where the prediction is the target."""

    documents: int
    counts: Counter[str]
    id: str = "rarity[corpus]"
    higher_is_better: bool = True
    unit: str = ""
    lower: float | None = 0.0
    upper: float | None = None

    def __call__(self, prediction: Any, target: Any) -> float:
        right = float(prediction.text == target)
        return right * math.log(self.documents / self.counts[target])


class Rarity:
    id = "rarity[corpus]"
    higher_is_better = True
    unit = ""
    lower: float | None = 0.0
    upper: float | None = None

    def on(self, corpus: Sequence[Target]) -> RarityOn:
        if not corpus:
            raise ValueError("there is no corpus")
        texts = [{one} if isinstance(one, str) else set(one) for one in corpus]
        return RarityOn(len(corpus), Counter(name for text in texts for name in text))


class Letters:
    id = "letters[pooled]"
    higher_is_better = True
    unit = ""
    lower: float | None = 0.0
    upper: float | None = 1.0
    pooling: Literal["ratio", "bleu"] = "ratio"

    def counts(self, prediction: Any, target: Any) -> Sequence[float]:
        if prediction.text == REFUSED:
            raise ValueError(f"no letters are counted in {REFUSED}")
        same = sum(a == b for a, b in zip(prediction.text, target, strict=False))
        return float(same), float(len(target))


def corpus_plan(out: Path, tokens: Path, *, limit: int = 7, **changes: Any) -> Plan:
    metrics = {metric.id: metric for metric in (Accuracy(), Rarity(), Letters())}
    task = PlannedTask(Telling(Ways(3)), lambda: picture, limit, {"ways": 3})
    plan = plan_of(out, tokens, methods=(method(Blocks),), tasks=(task,), metrics=metrics)
    return replace(plan, **changes)
