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
    assert done.manifest.tasks["mending"].metrics == ("mse", "distance[mean]", "rmse")
    assert done.manifest.metrics["rmse"].direction == "lower"
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


def test_a_damaged_blob_keeps_the_score_that_was_computed_before_it_was(plan):
    done = run(plan)
    before = {record.key: record for record in done.records()}
    record = next(r for r in done.records() if r.prediction.kind == "image")
    file = done.blob(record.prediction.blob)
    other = next(
        path for path in file.parents[1].glob(f"*/*{file.suffix}") if path.name != file.name
    )
    file.write_bytes(other.read_bytes())
    stricter = replace(SQUARES, function=lambda one, two: squares(one, two) + 0.01)
    again = score(plan.out, by_id(stricter, ACCURACY))
    after = {record.key: record for record in open_run(plan.out).records()}
    hit = {r.key for r in before.values() if file.stem in (r.prediction.blob, r.target.blob)}
    assert record.key in hit
    assert len(again.damaged) == len(hit)
    assert str(file) in again.damaged[0]
    assert "sample" in again.damaged[0]
    for key, one in before.items():
        same = key in hit or one.task == "naming"
        assert (after[key].scores == one.scores) is same


def test_a_changed_feature_blob_does_not_hold(plan):
    done = run(plan)
    record = next(r for r in done.records() if r.features)
    mine, theirs = (done.blob(name) for name in record.features["distance[mean]"])
    assert mine != theirs
    mine.write_bytes(theirs.read_bytes())
    found = verify(plan, sample=1)
    assert [check.name for check in found.checks if not check.holds] == ["files"]
    with pytest.raises(StoreError, match=f"{mine.name} is damaged"):
        done.array(mine.stem)
    score(plan.out, by_id(*plan.metrics.values()))
    assert verify(plan, sample=1).holds, "features that are computed again are stored again"


def test_where_there_is_no_run_nothing_is_verified_or_scored(plan):
    with pytest.raises(StoreError, match="no run at"):
        verify(plan)
    with pytest.raises(StoreError, match="no run at"):
        score(plan.out, {})
