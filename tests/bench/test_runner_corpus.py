import json
from dataclasses import replace

import pytest
from corpus_world import LETTERS, RARITY, REFUSED, Telling, corpus_plan, letters
from runner_world import Hashing, Ways, by_id, picture, plain

from frostbench.bench.leaderboard import build
from frostbench.bench.runner.plan import PlannedTask
from frostbench.bench.runner.rescore import score
from frostbench.bench.runner.run import run
from frostbench.bench.runner.verify import verify
from frostbench.bench.store.atomic import StoreError
from frostbench.bench.store.reader import open_run
from frostbench.plugins.host.containment import Interrupted

METRICS = by_id(RARITY, LETTERS)


class Steady(Hashing):
    """Answers a prompt in the same way in any company."""

    def answer(self, prompt, company):
        return super().answer(prompt, 0)


@pytest.fixture
def plan(tmp_path):
    return corpus_plan(tmp_path / "run", tmp_path / "tokens", engine=Steady())


def with_task(plan, task):
    return replace(plan, tasks=(PlannedTask(task, lambda: picture, 7, {"ways": 3}),))


def test_samples_have_scores_of_the_corpus_and_counts_of_their_own(plan):
    done = run(plan)
    scored = [record for record in done.records() if record.status == "scored"]
    for record in scored:
        assert set(record.scores) == {"accuracy[exact]", RARITY.facts.id}
        same = sum(a == b for a, b in zip(record.prediction.text, record.target.text, strict=False))
        assert record.counts == {LETTERS.facts.id: (same, len(record.target.text))}
    assert {record.scores[RARITY.facts.id] for record in scored} > {0.0}
    assert done.manifest.metrics[LETTERS.facts.id].pooling == "ratio"
    assert done.manifest.metrics[RARITY.facts.id].corpus is True


def test_a_sample_that_cannot_be_counted_is_left_out_of_everything(plan):
    done = run(plan)
    failed = [record for record in done.records() if record.prediction.text == REFUSED]
    assert failed
    for record in failed:
        assert record.status == "failed"
        assert f"no letters are counted in {REFUSED}" in record.error
        assert (record.scores, record.counts, record.features) == ({}, {}, {})
    for row in build([done]).rows:
        if row.metric == LETTERS.facts.id:
            who = row.of if row.control else row.method, row.control
            mine = [record for record in done.records() if record.row == who]
            same, letters = zip(
                *(r.counts[LETTERS.facts.id] for r in mine if r.status == "scored"), strict=True
            )
            assert row.failed == sum(record.status == "failed" for record in mine)
            assert row.value == pytest.approx(sum(same) / sum(letters))
            assert row.low <= row.value <= row.high


@pytest.mark.parametrize("calls", [0, 1, 2])
def test_an_interrupted_run_ends_as_an_uninterrupted_one(tmp_path, calls):
    whole = run(corpus_plan(tmp_path / "whole", tmp_path / "tokens"))
    left = iter(range(calls))

    def stop():
        if next(left, None) is None:
            raise Interrupted

    broken = corpus_plan(tmp_path / "broken", tmp_path / "other")
    with pytest.raises(Interrupted):
        run(replace(broken, engine=Hashing(stop)))
    resumed = run(broken)
    assert plain(resumed) == plain(whole)
    tasks = [open_run(one.folder).manifest.tasks["telling"] for one in (whole, resumed)]
    assert tasks[0].corpus == tasks[1].corpus is not None


def test_a_longer_run_weighs_by_the_same_corpus(tmp_path):
    plans = [corpus_plan(tmp_path / str(n), tmp_path / "tokens", limit=n) for n in (3, 6)]
    short, long = (
        {r.key: r.scores for r in run(replace(plan, engine=Steady())).records()} for plan in plans
    )
    assert {key: long[key] for key in short} == short


def test_scoring_again_needs_neither_task_nor_data(plan):
    before = plain(run(plan))
    again = score(plan.out, METRICS)
    assert again.changed == {
        RARITY.facts.id: (0, 0.0),
        LETTERS.facts.id: (0, 0.0),
        "accuracy[exact]": (0, 0.0),
    }
    assert plain(open_run(plan.out)) == before


def test_scoring_again_says_how_far_counts_moved(plan):
    run(plan)

    def doubled(prediction, target):
        same, length = letters(prediction, target)
        return same, 2 * length

    counted = sum(bool(record.counts) for record in open_run(plan.out).records())
    longest = max(r.counts[LETTERS.facts.id][1] for r in open_run(plan.out).records() if r.counts)
    changed = score(plan.out, by_id(replace(LETTERS, function=doubled))).changed
    assert changed[LETTERS.facts.id] == (counted, longest)


def test_a_run_that_keeps_no_corpus_is_not_scored_by_one(plan):
    run(plan)
    manifest = json.loads((plan.out / "manifest.json").read_text())
    manifest["tasks"]["telling"]["corpus"] = None
    (plan.out / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(LookupError, match="'telling' of this run keeps none"):
        score(plan.out, METRICS)


def test_verifying_looks_at_the_corpus_and_at_counts(plan):
    run(plan)
    assert verify(plan, sample=7).holds

    def longer(prediction, target):
        return letters(prediction, target)[0], 9.0

    class Common(Telling):
        def corpus(self, data, seed):
            return [*super().corpus(data, seed), "red"]

    def broken(changed):
        return {check.name for check in verify(changed, sample=7).checks if not check.holds}

    metrics = {**plan.metrics, **by_id(replace(LETTERS, function=longer))}
    assert broken(replace(plan, metrics=metrics)) == {"scores"}
    assert broken(with_task(plan, Common(Ways(3)))) >= {"corpus of telling"}
    with pytest.raises(StoreError, match="'telling' gives another corpus"):
        run(replace(with_task(plan, Common(Ways(3))), retry_failed=True))


def test_a_task_without_the_corpus_that_its_metric_asks_for_fails_alone(plan):
    class Silent(Telling):
        def corpus(self, data, seed):
            return ()

    done = run(with_task(plan, Silent(Ways(3))))
    assert done.failed
    assert done.records() == []
    (failure,) = done.manifest.failures
    assert failure.task == "telling"
    assert "there is no corpus" in failure.error
    assert done.manifest.status == "failed"


def test_the_data_set_is_not_opened_for_a_corpus_that_nobody_asks_for(plan):
    def ask(*_):
        raise AssertionError

    class Unasked(Telling):
        card = replace(Telling.card, metrics=("accuracy[exact]",), ranks_by="accuracy[exact]")
        corpus = ask

    assert not run(with_task(plan, Unasked(Ways(3)))).failed
