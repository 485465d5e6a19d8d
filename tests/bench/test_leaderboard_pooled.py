from dataclasses import replace

import pytest
from stored_runs import changed

from frostbench.bench.leaderboard import build
from frostbench.bench.leaderboard.markdown import markdown
from frostbench.bench.leaderboard.numbers import format_of
from frostbench.bench.statistics import Rank
from frostbench.bench.store.manifest import MetricEntry

SHOTS = {"task": "few_shot_classification", "protocol": "5-way 1-shot"}
BLEU, CIDER = "bleu-4[corpus]", "cider-d[corpus]"
METRICS = {
    BLEU: MetricEntry(BLEU, "", 0.0, 1.0, percent=True, pooling="bleu"),
    CIDER: MetricEntry(CIDER, "of 10", 0.0, 10.0, corpus=True),
}


def captions(run, corpus="c0" * 32, empty=False):
    """The run with its episodes scored as captions: long ones where the answer was right."""

    def scored(record):
        if record.task != SHOTS["task"] or record.status != "scored":
            return record
        right = record.scores["accuracy[exact]"]
        length = 4.0 + len(record.sample) % 3
        orders = [x for k in range(4) for x in (right * (length - k), length - k)]
        counts = {BLEU: (0.0,) * 10 if empty else (*orders, length, length)}
        return replace(record, scores={CIDER: 10 * right}, counts=counts)

    manifest = run.manifest.with_task(
        SHOTS["task"], metrics=(BLEU, CIDER), ranks_by=BLEU, corpus=corpus
    )
    records = [scored(record) for record in run.records()]
    return changed(run, records, manifest, metrics={**manifest.metrics, **METRICS})


def one(leaderboard, **wanted):
    (row,) = (
        row
        for row in leaderboard.rows
        if all(getattr(row, key) == value for key, value in {**SHOTS, **wanted}.items())
    )
    return row


@pytest.fixture(scope="module")
def told(synthetic):
    return captions(synthetic(samples=20))


def test_a_pooled_metric_has_values_intervals_ranks_and_verdicts(told):
    leaderboard = build([told])
    ours, theirs = (one(leaderboard, method=name, metric=BLEU) for name in ("v2l", "vqgan"))
    right = [
        record.counts[BLEU]
        for record in told.records()
        if (record.protocol, *record.row) == (SHOTS["protocol"], "v2l", None)
    ]
    assert ours.value == pytest.approx(sum(c[0] for c in right) / sum(c[1] for c in right), abs=0.1)
    for row in (ours, theirs):
        assert row.low < row.value < row.high
        assert (row.samples, row.failed) == (40, 0)
    assert (ours.rank, theirs.rank) == (Rank(1, 1), Rank(2, 2))
    assert ours.best
    verdicts = {
        (verdict.method, verdict.control): verdict.outcome
        for verdict in leaderboard.verdicts
        if verdict.task == SHOTS["task"] and verdict.protocol == SHOTS["protocol"]
    }
    assert verdicts["v2l", "chance"] == "beats"
    assert {verdict.metric for verdict in leaderboard.verdicts} >= {BLEU}


def test_a_failed_sample_adds_no_counts(told):
    records = [
        replace(record, status="failed", error="no.", scores={}, counts={})
        if record.method == "v2l" and record.sample == "episode-0003"
        else record
        for record in told.records()
    ]
    row = one(build([changed(told, records)]), method="v2l", metric=BLEU, control=None)
    assert (row.samples, row.failed) == (39, 1)
    kept = [r for r in records if (r.protocol, *r.row) == (SHOTS["protocol"], "v2l", None)]
    alone = changed(told, [r for r in kept if r.counts])
    assert one(build([alone]), method="v2l", metric=BLEU).value == row.value


def test_rows_of_another_corpus_are_ranked_apart_by_the_metric_that_learned_from_it(
    told, synthetic
):
    other = captions(synthetic(samples=20), corpus="c1" * 32)
    leaderboard = build([told, other])

    def identities(metric):
        return {row.identity for row in leaderboard.rows if row.metric == metric}

    assert len(identities(CIDER)) == 2
    assert len(identities(BLEU)) == 1


def test_counts_that_have_no_value_are_a_dash_with_its_reason(synthetic):
    run = captions(synthetic(samples=6), empty=True)
    ratio = replace(METRICS[BLEU], pooling="ratio")
    for record in run.records():
        if record.counts:
            record.counts[BLEU] = (0.0, 0.0)
    run = changed(run, metrics={**run.manifest.metrics, BLEU: ratio})
    row = one(build([run]), method="v2l", metric=BLEU)
    assert (row.value, row.low, row.rank) == (None, None, None)
    assert row.reason == f"the counts of 12 scored samples sum to no value of {BLEU}."


def test_bleu_reads_in_percent_and_cider_d_on_its_own_scale(told):
    assert format_of(METRICS[BLEU]).with_unit(0.365) == "36.5 %"
    assert format_of(METRICS[CIDER]).with_unit(1.125) == "1.125 of 10"
    head = "".join(markdown(build([told]), "Captions"))
    assert f"{BLEU} (%) ↑" in head
    assert f"{CIDER} (of 10) ↑" in head
