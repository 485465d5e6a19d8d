"""Detections in a run: what is kept of them, scored again and verified."""

from dataclasses import replace

import pytest
import torch
from runner_world import OneBackbone, Ways, by_id, method, picture, plain, plan_of

from frostbench.bench.leaderboard import build
from frostbench.bench.runner.plan import PlannedTask
from frostbench.bench.runner.rescore import score
from frostbench.bench.runner.run import run
from frostbench.bench.runner.verify import verify
from frostbench.plugins import (
    Boxes,
    Card,
    ClassMatches,
    Detect,
    Grid,
    Instance,
    Method,
    Metric,
    MetricFacts,
    Task,
    TaskCard,
    Thing,
    TrueThings,
    VisualTokens,
)

AP = MetricFacts("ap", lower=0.0, upper=1.0, percent=True, pooling="average_precision")


def matched(prediction, target):
    found = tuple(prediction.scores.tolist())
    things = len(target.things)
    return [ClassMatches("cat", things, found, ("+",) * things + ("-",) * (len(found) - things))]


class Seeking(Task):
    card = TaskCard(
        name="seeking",
        suite="detection",
        request_type="Detect",
        reads="boxes",
        metrics=("ap",),
        ranks_by="ap",
    )
    data = "pictures"
    settings = Ways

    def __init__(self, settings):
        pass

    def instances(self, data, limit, seed):
        for index in range(limit):
            things = (Thing("cat", (0.0, 0.0, 4.0, 4.0), 16.0),)
            request = Detect(str(index), data(f"scene {index}"), ("cat",))
            yield Instance(request, TrueThings(things), None, str(index))


def boxing(step):
    class Boxing(Method):
        """Two boxes an image, off by a little more each time that it is asked."""

        card = Card("boxing", "https://example.org/boxing", capabilities=frozenset({"Detect"}))
        asked = 0

        @classmethod
        def build(cls, setup):
            return cls()

        toy = build

        @property
        def fingerprint(self):
            return "b" * 64

        def tokenize(self, images, sizes):
            return VisualTokens({"local": Grid(torch.zeros(len(images), 1, 1, dtype=torch.long))})

        def prompt(self, request, tokens):
            return None
            yield

        def decode(self, requests, outcomes):
            type(self).asked += 1
            shift = step * type(self).asked
            edges = torch.tensor([[0.0, 0, 4, 4], [0, 0, 2 + shift, 2]])
            return [Boxes(edges, ("cat", "cat"), torch.tensor([0.9, 0.4])) for _ in requests]

    return Boxing


def planned(folder, step=0.0, match=matched):
    tasks = (PlannedTask(Seeking(Ways()), lambda: picture, 12, {"ways": 2}),)
    metrics = by_id(Metric(AP, match))
    return plan_of(
        folder / "run",
        folder / "tokens",
        methods=(method(boxing(step)),),
        tasks=tasks,
        metrics=metrics,
        controls=None,
        backbones=OneBackbone(),
    )


def test_what_an_image_adds_is_kept_and_ranked_and_scored_again(tmp_path):
    stored = run(planned(tmp_path))
    records = stored.records()
    assert {one.status for one in records} == {"scored"}
    assert {one.matches["ap"][0].marks for one in records} == {("+", "-")}
    (row,) = build([stored]).rows
    assert (row.value, row.samples) == (1.0, 12)
    assert row.interval == "none: equal scores say nothing about the spread"
    worse = replace(AP), lambda *_: [ClassMatches("cat", 2, (0.5,), ("+",))]
    found = score(tmp_path / "run", by_id(Metric(*worse)))
    assert found.samples == 12
    assert found.changed["ap"][0] == 12
    (row,) = build([stored]).rows
    assert row.value == pytest.approx(51 / 101)


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ([(1.0, 2.0)], "made of ClassMatches, one a class"),
        ([ClassMatches("cat", 1)] * 2, "a class comes twice: cat, cat"),
        (None, "NoneType"),
    ],
)
def test_what_no_average_precision_is_made_of_fails_its_samples(tmp_path, given, wrong):
    stored = run(planned(tmp_path, match=lambda *_: given))
    assert {one.status for one in stored.records()} == {"failed"}
    assert all("metric 'ap'" in one.error and wrong in one.error for one in stored.records())


@pytest.mark.parametrize(("step", "holds"), [(1e-6, True), (0.1, False)])
def test_boxes_that_are_off_by_rounding_are_the_same_boxes(tmp_path, step, holds):
    made = planned(tmp_path, step)
    before = plain(run(made))
    checks = {check.name: check.holds for check in verify(made).checks}
    assert checks["predictions"] is holds
    assert checks["scores"]
    assert len(before) == 12
