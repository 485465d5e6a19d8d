"""A task whose metrics need a corpus and sums, for the runner's world.

Words of a corpus weigh by how few of its targets they are; letters are counted and pooled.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from runner_world import ACCURACY, NAMES, Blocks, Naming, Ways, by_id, method, picture, plan_of

from frostbench.bench.runner.plan import Plan, PlannedTask
from frostbench.plugins import Image, Metric, MetricFacts
from frostbench.plugins.contract.task import Target

REFUSED = "grey"
"""A prediction that `letters` cannot count."""


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


def rarity(corpus: Sequence[Target]) -> Callable[[Any, Any], float]:
    """The logarithm of how rare the target is, where the prediction is the target."""
    if not corpus:
        raise ValueError("there is no corpus")
    texts = [{one} if isinstance(one, str) else set(one) for one in corpus]
    counts = Counter(name for text in texts for name in text)

    def score(prediction: Any, target: Any) -> float:
        return float(prediction.text == target) * math.log(len(corpus) / counts[target])

    return score


def letters(prediction: Any, target: Any) -> tuple[float, float]:
    if prediction.text == REFUSED:
        raise ValueError(f"no letters are counted in {REFUSED}")
    same = sum(a == b for a, b in zip(prediction.text, target, strict=False))
    return float(same), float(len(target))


RARITY = Metric(MetricFacts("rarity[corpus]", lower=0.0, corpus=True), rarity)
LETTERS = Metric(MetricFacts("letters[pooled]", lower=0.0, upper=1.0, pooling="ratio"), letters)


def corpus_plan(out: Path, tokens: Path, *, limit: int = 7, **changes: Any) -> Plan:
    metrics = by_id(ACCURACY, RARITY, LETTERS)
    task = PlannedTask(Telling(Ways(3)), lambda: picture, limit, {"ways": 3})
    plan = plan_of(out, tokens, methods=(method(Blocks),), tasks=(task,), metrics=metrics)
    return replace(plan, **changes)
