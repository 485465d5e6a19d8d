import inspect
from collections import Counter
from itertools import islice

import pytest
import torch

from frostbench.eval_suites.metrics.accuracy import accuracy_exact
from frostbench.eval_suites.understanding.classification import FewShotClassification
from frostbench.eval_suites.understanding.episodes import DrawnEpisodes
from frostbench.eval_suites.understanding.protocols import FewShotSettings, Protocol
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.requests import Classify, images_of
from frostbench.plugins.host.settings import read_settings


class Coloured:
    """Classes `a0`, `a1`, `b0`, ...; a letter is a family."""

    names = tuple(f"{letter}{member}" for letter in "abcdefg" for member in range(2))

    def family(self, name):
        return ord(name[0])

    def count(self, name):
        return None

    def portrait(self, name, number):
        shade = self.names.index(name) / 20 + number / 1000
        return Image(torch.full((3, 4, 4), shade), f"{name} {number}")


def instances(limit=20, seed=0, **settings):
    task = FewShotClassification(FewShotSettings(**settings))
    return list(task.instances(Coloured(), limit, seed))


def test_the_card_names_the_protocols_of_the_settings():
    task = FewShotClassification(
        read_settings(
            FewShotSettings,
            {"ways": "5", "shots": "5", "shots_without_induction": "[]", "repeats": "0,2"},
            "task",
        )
    )
    assert task.card.protocols == ("5-way 5-shot induction", "5-way 5-shot induction 2 repeats")
    assert FewShotClassification.card.protocols == (
        "2-way 1-shot induction",
        "2-way 3-shot induction",
        "5-way 1-shot induction",
        "5-way 3-shot induction",
        "2-way 1-shot",
        "5-way 1-shot",
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"ways": (1,)},
        {"ways": ()},
        {"shots": (0,)},
        {"shots": (10,)},
        {"shots": (), "shots_without_induction": ()},
        {"repeats": (-1,)},
        {"repeats": ()},
    ],
)
def test_settings_that_ask_for_nothing_are_refused(wrong):
    with pytest.raises(ValueError, match=r"."):
        FewShotSettings(**wrong)


def test_an_episode_is_as_its_protocol_says():
    by_name = {p.name: p for p in FewShotSettings().protocols}
    seen = instances(limit=30)
    assert len(seen) == 30 * len(by_name)
    for instance in seen:
        protocol, request = by_name[instance.protocol], instance.request
        labels = Counter(example.text for example in request.examples)
        assert len(labels) == protocol.ways
        assert set(labels.values()) == {protocol.shots}
        assert tuple(sorted(labels)) == request.options
        assert (request.induction, request.repeats) == (protocol.induction, protocol.repeats)
        assert instance.target in labels
        assert request.image.name.startswith(f"{instance.target} ")


def test_the_query_is_none_of_the_examples_and_no_two_examples_are_one():
    for instance in instances(limit=50):
        request = instance.request
        assert len(images_of(request)) == len(request.examples) + 1


def test_classes_of_an_episode_are_of_different_families():
    for instance in instances(limit=50):
        letters = [option[0] for option in instance.request.options]
        assert len(set(letters)) == len(letters)


def test_a_longer_run_contains_a_shorter_and_a_seed_is_kept_to():
    short = instances(limit=3, seed=5)
    long = {(i.protocol, i.request.id): i for i in instances(limit=9, seed=5)}
    assert [long[i.protocol, i.request.id] for i in short] == short
    assert instances(limit=3, seed=6) != short


def test_protocols_of_the_same_ways_and_shots_ask_the_same_episodes():
    found = {}
    for instance in instances(limit=5):
        found.setdefault(instance.protocol, []).append(instance)
    with_, without = found["5-way 1-shot induction"], found["5-way 1-shot"]
    for one, other in zip(with_, without, strict=True):
        assert images_of(one.request) == images_of(other.request)
        assert one.cluster == other.cluster
        assert one.request.seed != other.request.seed


def test_each_episode_is_a_cluster_of_its_own():
    clusters = [i.cluster for i in instances(limit=8) if i.protocol == "2-way 3-shot induction"]
    assert len(set(clusters)) == 8


def test_the_place_and_the_class_of_the_query_are_uniform():
    request_labels = Counter()
    places = Counter()
    for episode in islice(DrawnEpisodes(Coloured(), 10).episodes(2, 1, 0), 2000):
        places[[example.text for example in episode.examples].index(episode.label)] += 1
        request_labels[episode.options.index(episode.label)] += 1
    for counts in (places, request_labels):
        assert all(900 < counts[index] < 1100 for index in range(2))


def test_too_few_families_are_told():
    with pytest.raises(ValueError, match=r"8-way .-shot episodes need 8 families.*there are 7"):
        instances(ways=(8,))


def test_chance_guesses_each_option_alike_and_depends_on_the_seed_of_the_request_alone():
    task = FewShotClassification(FewShotSettings(ways=(5,), shots=(1,)))
    drawn = [i for i in task.instances(Coloured(), 500, 0) if i.request.induction]
    guesses = task.controls(drawn)["chance"]
    assert guesses == task.controls(drawn)["chance"]
    right = sum(accuracy_exact(g, i.target) for g, i in zip(guesses, drawn, strict=True))
    assert 70 < right < 130
    assert all(g.text in i.request.options for g, i in zip(guesses, drawn, strict=True))


def test_a_request_holds_no_target():
    (instance,) = instances(limit=1, ways=(2,), shots=(1,), shots_without_induction=())
    assert isinstance(instance.request, Classify)
    assert "target" not in inspect.signature(Classify).parameters
    assert instance.target not in instance.request.id


def test_protocols_are_named_as_people_say_them():
    assert Protocol(2, 5, False, 0).name == "2-way 5-shot"
    assert Protocol(2, 5, True, 3).name == "2-way 5-shot induction 3 repeats"
