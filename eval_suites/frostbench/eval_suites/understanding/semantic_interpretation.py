"""The task `semantic_interpretation`."""

import random
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import count, islice

from frostbench.eval_suites.understanding.settings import (
    InterpretationSettings,
    interpretation_card,
)
from frostbench.plugins.contract.datasets import LabelSet
from frostbench.plugins.contract.predictions import Prediction, TextPrediction
from frostbench.plugins.contract.requests import Interpret
from frostbench.plugins.contract.seeds import seed_of
from frostbench.plugins.contract.task import Instance, Sample, Task, read_or_not


class SemanticInterpretation(Task):
    """How well an image's words fit it, without a language model (SPAE; V2L-Tokenizer, Table 2).

    Images are portraits of classes that nothing was trained on, each class in turn. The target
    is the image itself. A method that chose its words with the metric's own network has an
    advantage; controls share it only where they use its words.
    """

    card = interpretation_card(InterpretationSettings())
    data = InterpretationSettings().data
    settings = InterpretationSettings
    asks = (LabelSet,)

    def __init__(self, settings: InterpretationSettings) -> None:
        self.card = interpretation_card(settings)
        self.data = settings.data

    def instances(self, data: LabelSet, limit: int, seed: int) -> Iterator[Sample]:
        """At most `limit` portraits; those of one class are a cluster with its name."""
        names = sorted(data.names)
        random.Random(seed_of(seed, self.card.name)).shuffle(names)
        for index, (name, number) in enumerate(islice(_in_turn(data, names), limit)):
            own = seed_of(seed, self.card.name, index)
            id_ = f"{self.card.name}-{index:05d}"
            yield read_or_not(id_, None, partial(_instance, data, name, number, id_, own))

    def controls(self, instances: Sequence[Instance]) -> Mapping[str, Sequence[Prediction]]:
        """`class_name`: the name of the image's class, and no other word."""
        return {"class_name": [TextPrediction(instance.cluster) for instance in instances]}


def _instance(data: LabelSet, name: str, number: int, id_: str, seed: int) -> Instance:
    image = data.portrait(name, number)
    return Instance(Interpret(id_, image, seed), image, None, cluster=name)


def _in_turn(data: LabelSet, names: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Pairs of a class and an image's number, each class in turn, while it has images left."""
    counts = [data.count(name) for name in names]
    for number in count():
        left = [name for name, of in zip(names, counts, strict=True) if of is None or number < of]
        if not left:
            return
        yield from ((name, number) for name in left)
