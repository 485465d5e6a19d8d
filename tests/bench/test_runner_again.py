from dataclasses import replace

import pytest
import torch
from runner_world import (
    ACCURACY,
    SQUARES,
    Blocks,
    Fine,
    Hashing,
    by_id,
    method,
    plain,
    plan_of,
    squares,
)

from frostbench.bench.runner.rescore import score
from frostbench.bench.runner.run import run
from frostbench.bench.runner.verify import verify
from frostbench.bench.store.atomic import StoreError
from frostbench.bench.store.reader import open_run
from frostbench.plugins import Grid, Metric, VisualTokens


class Steady(Hashing):
    """Answers a prompt in the same way in any company."""

    def answer(self, prompt, company):
        return super().answer(prompt, 0)


class Pure(Blocks):
    """Tokens of an image are the same in any company."""

    card = replace(Blocks.card, name="pure")

    def tokenize(self, images, sizes):
        grids = [super(Pure, self).tokenize(one[None], sizes).grid("local") for one in images]
        return VisualTokens({"local": Grid(torch.cat(grids))})


@pytest.fixture
def plan(tmp_path):
    methods = (method(Pure), method(Fine))
    return plan_of(tmp_path / "run", tmp_path / "tokens", methods=methods[:1], engine=Steady())


def test_scoring_again_gives_the_same_numbers_without_methods(plan):
    before = plain(run(plan))
    again = score(plan.out, by_id(SQUARES, ACCURACY))
    assert again.samples == len(before)
    assert again.changed == {"mse": (0, 0.0), "accuracy[exact]": (0, 0.0)}
    assert again.missing == ("distance[mean]",)
    assert plain(open_run(plan.out)) == before


def test_scoring_with_another_metric_adds_it_to_the_run(plan):
    run(plan)

    def rooted(prediction, target):
        return squares(prediction, target) ** 0.5

    given = by_id(Metric(replace(SQUARES.facts, id="rmse"), rooted))
    score(plan.out, given, {"mending": ["rmse"]})
    done = open_run(plan.out)
    assert done.manifest["tasks"]["mending"]["metrics"] == ["mse", "distance[mean]", "rmse"]
    assert done.manifest["metrics"]["rmse"]["higher_is_better"] is False
    for record in done.records():
        if record.task == "mending":
            assert record.scores["rmse"] == record.scores["mse"] ** 0.5
            assert set(record.features) == {"distance[mean]"}
    with pytest.raises(LookupError, match="the run has no task 'baking'"):
        score(plan.out, given, {"baking": ["rmse"]})
    with pytest.raises(LookupError, match="no metric 'other' is given"):
        score(plan.out, given, {"mending": ["other"]})


def test_samples_that_a_metric_failed_are_scored_when_it_is_mended(plan):
    def broken(prediction, target):
        raise ZeroDivisionError

    metrics = {**plan.metrics, **by_id(replace(ACCURACY, function=broken))}
    assert run(replace(plan, metrics=metrics)).failed
    assert score(plan.out, by_id(ACCURACY)).failed == ()
    done = open_run(plan.out)
    assert not done.failed
    assert all(r.status == "scored" for r in done.records())


def test_a_run_that_nobody_touched_holds(plan):
    run(plan)
    verified = verify(plan, sample=6)
    assert verified.holds, verified.checks
    assert verified.samples >= 6
    assert not list(plan.out.rglob("*.tmp"))


def test_what_does_not_hold_is_named(plan):
    done = run(plan)
    everything = 100

    def broken(of) -> set[str]:
        return {check.name for check in verify(of, sample=everything).checks if not check.holds}

    assert broken(plan) == set()

    class Other(Steady):
        def answer(self, prompt, company):
            return super(Steady, self).answer(prompt, 1)

    assert broken(replace(plan, engine=Other())) >= {"predictions", "scores"}

    stricter = replace(SQUARES, function=lambda one, two: squares(one, two) + 0.01)
    assert broken(replace(plan, metrics={**plan.metrics, "mse": stricter})) == {"scores"}
    assert "sources" in broken(replace(plan, seed=1))
    changed = method(Pure, lambda: Pure(9))
    assert "method pure" in broken(replace(plan, methods=(changed,)))
    record = next(r for r in done.records() if r.prediction.kind == "image")
    done.blob(record.prediction.blob).write_bytes(b"RIFF")
    assert broken(plan) == {"files"}


def test_where_there_is_no_run_nothing_is_verified_or_scored(plan):
    with pytest.raises(StoreError, match="no run at"):
        verify(plan)
    with pytest.raises(StoreError, match="no run at"):
        score(plan.out, {})
