"""The task `visual_chain_of_thought`."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from frostbench.eval_suites.data.sound import sound
from frostbench.eval_suites.grounding.scenes import DetailedScenes
from frostbench.eval_suites.grounding.settings import ThoughtSettings, thought_card
from frostbench.plugins.contract.datasets import DetailSource
from frostbench.plugins.contract.requests import (
    NamedThought,
    NoThought,
    QuestionThought,
    Reason,
    Thought,
)
from frostbench.plugins.contract.scenes import SceneSet
from frostbench.plugins.contract.seeds import seed_of
from frostbench.plugins.contract.task import Instance, Sample, Task, TrueAnswer, Unreadable

_THOUGHTS: Mapping[str, Thought] = {
    "thought": NamedThought(),
    "question_as_phrase": QuestionThought(),
    "direct": NoThought(),
}


class VisualChainOfThought(Task):
    """A question about something small, with and without a second look (Visual CoT).

    Shao et al., "Visual CoT", NeurIPS 2024, https://arxiv.org/abs/2403.16999. The published score
    is a language model's judgement, which costs money, drifts and was retired; accuracy over
    accepted answers and ANLS take its place, so figures are not comparable with the papers'. All
    protocols ask the same questions.
    """

    card = thought_card(ThoughtSettings())
    data = ThoughtSettings().data
    asks = (SceneSet, DetailSource)
    settings = ThoughtSettings

    def __init__(self, settings: ThoughtSettings) -> None:
        self._settings = settings
        self.card = thought_card(settings)
        self.data = settings.data

    def instances(self, data: Any, limit: int, seed: int) -> Iterator[Sample]:
        """At most `limit` questions for each protocol, one protocol after the other.

        `data` gives questions itself (`DetailSource`), or scenes to ask about.
        """
        source = data if isinstance(data, DetailSource) else DetailedScenes(data, self._settings)
        for protocol in self._settings.protocols:
            questions = sound(source.details(seed), self.card.name, protocol)
            for question in islice(questions, limit):
                if isinstance(question, Unreadable):
                    yield question
                    continue
                name = f"{self.card.name}-{question.id}"
                own = seed_of(seed, name, protocol)
                request = Reason(name, question.image, question.text, _THOUGHTS[protocol], own)
                target = TrueAnswer(question.answers, question.box)
                yield Instance(request, target, protocol, cluster=question.cluster)
