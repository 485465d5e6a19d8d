"""The task `object_hallucination`."""

import random
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

from frostbench.eval_suites.data.sound import one_by_one, sound
from frostbench.eval_suites.grounding.scenes import PolledScenes
from frostbench.eval_suites.grounding.settings import HallucinationSettings, hallucination_card
from frostbench.plugins.contract.datasets import YesNoSource
from frostbench.plugins.contract.predictions import Prediction, TextPrediction
from frostbench.plugins.contract.requests import Answer
from frostbench.plugins.contract.scenes import SceneSet
from frostbench.plugins.contract.seeds import seed_of
from frostbench.plugins.contract.task import Instance, Sample, Task, Unreadable


class ObjectHallucination(Task):
    """Is it there? POPE: Li et al., EMNLP 2023, https://arxiv.org/abs/2305.10355.

    As many questions have the answer yes as no. The questions with yes are the same in all
    protocols; these differ in which absent classes are asked for.
    """

    card = hallucination_card(HallucinationSettings())
    data = HallucinationSettings().data
    asks = (SceneSet, YesNoSource)
    settings = HallucinationSettings

    def __init__(self, settings: HallucinationSettings) -> None:
        self._settings = settings
        self.card = hallucination_card(settings)
        self.data = settings.data

    def instances(self, data: Any, limit: int, seed: int) -> Iterator[Sample]:
        """At most `limit` questions for each protocol, one protocol after the other.

        `data` gives questions itself (`YesNoSource`), or scenes to ask about. Questions about one
        image are one cluster.
        """
        source = data if isinstance(data, YesNoSource) else PolledScenes(data, self._settings)
        give = partial(self._given, source, limit, seed)
        yield from one_by_one(self._settings.protocols, give)

    def _given(self, source: YesNoSource, limit: int, seed: int, protocol: str) -> Iterator[Sample]:
        questions = sound(source.questions(protocol, seed), self.card.name, protocol)
        for question in islice(questions, limit):
            if isinstance(question, Unreadable):
                yield question
                continue
            name = f"{self.card.name}-{question.id}"
            request = Answer(
                id=name,
                image=question.image,
                question=question.text,
                seed=seed_of(seed, name, protocol),
            )
            target = "yes" if question.yes else "no"
            yield Instance(request, target, protocol, cluster=question.cluster)

    def controls(self, instances: Sequence[Instance]) -> Mapping[str, Sequence[Prediction]]:
        """`chance`: yes or no, from each request's seed; `always_yes`."""
        return {
            "chance": [
                TextPrediction(random.Random(one.request.seed).choice(("yes", "no")))
                for one in instances
            ],
            "always_yes": [TextPrediction("yes") for _ in instances],
        }
