"""The task `few_shot_classification`."""

import random
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

from frostbench.eval_suites.data.sound import one_by_one, sound
from frostbench.eval_suites.understanding.episodes import DrawnEpisodes
from frostbench.eval_suites.understanding.protocols import FewShotSettings, Protocol, few_shot_card
from frostbench.plugins.contract.datasets import Episode, EpisodeSource, LabelSet
from frostbench.plugins.contract.predictions import Prediction, TextPrediction
from frostbench.plugins.contract.requests import Classify
from frostbench.plugins.contract.seeds import seed_of
from frostbench.plugins.contract.task import Instance, Sample, Task, Unreadable


class FewShotClassification(Task):
    """Name the class of an image from a few labelled ones (Frozen, SPAE, V2L-Tokenizer).

    Episodes use classes that nothing was trained on. Protocols with and without induction, and
    with any number of repeats, ask the same episodes.
    """

    card = few_shot_card(FewShotSettings())
    data = FewShotSettings().data
    settings = FewShotSettings
    asks = (EpisodeSource, LabelSet)
    shortened_by = ("ways", "shots", "shots_without_induction", "repeats")

    def __init__(self, settings: FewShotSettings) -> None:
        self._settings = settings
        self.card = few_shot_card(settings)
        self.data = settings.data

    @classmethod
    def suited(cls, settings: FewShotSettings, data: Any) -> FewShotSettings:
        """The settings as they are, if there are enough classes for every protocol."""
        if not isinstance(data, EpisodeSource):
            drawn = DrawnEpisodes(data, settings.pictures)
            for protocol in settings.protocols:
                drawn.members(protocol.ways, protocol.shots)
        return settings

    def instances(self, data: Any, limit: int, seed: int) -> Iterator[Sample]:
        """At most `limit` episodes for each protocol, one protocol after the other.

        `data` gives episodes itself (`EpisodeSource`), or portraits to draw them from.
        """
        images = self._settings.pictures
        source = data if isinstance(data, EpisodeSource) else DrawnEpisodes(data, images)
        give = partial(self._given, source, limit, seed)
        yield from one_by_one(self._settings.protocols, give)

    def _given(
        self, source: EpisodeSource, limit: int, seed: int, protocol: Protocol
    ) -> Iterator[Sample]:
        drawn = source.episodes(protocol.ways, protocol.shots, seed)
        episodes = sound(drawn, f"{self.card.name}-{protocol.name}", protocol.name)
        for index, episode in enumerate(islice(episodes, limit)):
            own = seed_of(seed, self.card.name, protocol.name, index)
            if isinstance(episode, Unreadable):
                yield episode
            else:
                yield _instance(episode, protocol, own)

    def controls(self, instances: Sequence[Instance]) -> Mapping[str, Sequence[Prediction]]:
        """`chance`: a uniform guess among the options, from each request's seed."""
        return {"chance": [_guess(instance) for instance in instances]}


def _instance(episode: Episode, protocol: Protocol, seed: int) -> Instance:
    request = Classify(
        id=episode.id,
        image=episode.query,
        examples=episode.examples,
        options=episode.options,
        repeats=protocol.repeats,
        induction=protocol.induction,
        seed=seed,
    )
    return Instance(request, episode.label, protocol.name, cluster=episode.id)


def _guess(instance: Instance) -> TextPrediction:
    request = instance.request
    assert isinstance(request, Classify)
    return TextPrediction(random.Random(request.seed).choice(request.options))
