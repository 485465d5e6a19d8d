import dataclasses
import doctest
import functools
import re
import shutil
from importlib.resources import files
from pathlib import Path

import pytest
from stored_runs import changed

from frostbench.bench.leaderboard import build, numbers
from frostbench.bench.leaderboard.facts import facts, frozen
from frostbench.bench.leaderboard.markdown import markdown, remark_sentence
from frostbench.bench.leaderboard.rows import Verdict
from frostbench.bench.leaderboard.tables import COLOURS, remarks, sections
from frostbench.bench.statistics import Rank
from frostbench.bench.store.atomic import StoreError
from frostbench.bench.store.manifest import BackboneFacts, Failure, LeftOut
from frostbench.bench.store.reader import open_run


@pytest.fixture(scope="session")
def built(synthetic):
    """The leaderboard of one run of these settings, built once."""
    return functools.cache(lambda **settings: build([synthetic(**settings)]))


def rows_of(leaderboard, **wanted):
    return [
        row
        for row in leaderboard.rows
        if all(getattr(row, key) == value for key, value in wanted.items())
    ]


def one(leaderboard, **wanted):
    (row,) = rows_of(leaderboard, **wanted)
    return row


INPAINTING = {"task": "inpainting", "protocol": "held_out_context"}


def test_the_order_of_the_records_changes_no_number(synthetic):
    first = build([synthetic(samples=6)])
    second = build([synthetic("b", samples=6, order=3)])
    assert first.rows == second.rows
    assert first.verdicts == second.verdicts


def test_a_row_holds_value_interval_rank_samples_and_cost(built):
    row = one(built(samples=40), **INPAINTING, method="v2l", metric="psnr[rgb]")
    assert row.kind == "measured"
    assert row.low < row.value < row.high
    assert row.rank == Rank(1, 1)
    assert row.best
    assert (row.samples, row.failed) == (40, 0)
    assert (row.cost.prompt_tokens, row.cost.peak_bytes) == (344, 212_000_000)
    assert row.cost.seconds > 0


def test_every_metric_of_every_row_stands_once(built):
    leaderboard = built(samples=6)
    keys = [(row.task, row.protocol, row.metric, row.line) for row in rows_of(leaderboard, run=1)]
    assert len(keys) == len(set(keys))
    assert {row.metric for row in rows_of(leaderboard, **INPAINTING)} == {
        "psnr[rgb]",
        "ssim",
        "lpips[mini]",
        "fid[mini]",
    }


def test_only_measured_rows_on_the_ranking_metric_have_a_rank(built):
    for row in built(samples=6).rows:
        ranking = row.metric in ("accuracy[exact]", "psnr[rgb]")
        assert (row.rank is not None) == (row.kind == "measured" and ranking)


def test_controls_are_rows_that_say_of_which_method_they_are_made(built):
    leaderboard = built(samples=6)
    copied = one(leaderboard, **INPAINTING, method="copy", metric="psnr[rgb]")
    voted = one(leaderboard, **INPAINTING, method="majority_vote[v2l]", metric="psnr[rgb]")
    assert (copied.kind, copied.control, copied.of) == ("control", "copy", None)
    assert (voted.kind, voted.control, voted.of) == ("control", "majority_vote", "v2l")


def test_a_failed_sample_is_counted_and_never_scored(synthetic, built):
    whole = built()
    broken = build([synthetic("b", failed=("inpainting-003",))])
    wanted = {**INPAINTING, "method": "vqgan", "metric": "psnr[rgb]"}
    assert (one(broken, **wanted).samples, one(broken, **wanted).failed) == (11, 1)
    assert abs(one(broken, **wanted).value - one(whole, **wanted).value) < 0.5


def test_where_all_samples_failed_the_row_says_so(synthetic):
    failed = tuple(f"inpainting-{index:03}" for index in range(6))
    row = one(
        build([synthetic(samples=6, failed=failed)]),
        **INPAINTING,
        method="vqgan",
        metric="psnr[rgb]",
    )
    assert row.value is None
    assert row.reason == "all 6 samples failed: decode returned NaN."


def test_a_score_that_is_no_number_is_no_score(synthetic):
    run = synthetic(samples=6)
    records = run.records()
    index = next(
        i
        for i, record in enumerate(records)
        if record.row == ("v2l", None) and "accuracy[exact]" in record.scores
    )
    broken = dataclasses.replace(records[index], scores={"accuracy[exact]": float("inf")})
    records[index] = broken
    row = one(
        build([changed(run, records)]),
        task=broken.task,
        protocol=broken.protocol,
        method="v2l",
        metric="accuracy[exact]",
    )
    assert (row.samples, row.failed) == (11, 1)


def test_a_missing_capability_is_a_dash_with_its_reason(built):
    row = one(built(samples=6, outsider=True), **INPAINTING, method="outsider")
    assert (row.value, row.rank, row.samples) == (None, None, 0)
    assert row.reason == "outsider has no decoder: it gives no image back"


def test_a_method_that_failed_as_a_whole_says_why(synthetic):
    run = synthetic(samples=6)
    failed = {"status": "failed", "error": "its weights are cut short."}
    manifest = run.manifest.with_method("vqgan", **failed)
    kept = [record for record in run.records() if record.method != "vqgan"]
    row = one(build([changed(run, kept, manifest)]), **INPAINTING, method="vqgan")
    assert row.reason == "the method failed: its weights are cut short."


def test_a_task_not_reached_yet_says_so(synthetic):
    run = synthetic(samples=6, status="running")
    kept = [record for record in run.records() if record.task == "few_shot_classification"]
    row = one(build([changed(run, kept)]), **INPAINTING, method="v2l")
    assert row.reason == "no sample is stored; the run is running."


def test_a_method_is_told_where_it_loses_to_a_control(built):
    leaderboard = built(samples=40)
    outcomes = {
        verdict.control: verdict.outcome
        for verdict in leaderboard.verdicts
        if (verdict.task, verdict.protocol) == ("inpainting", "held_out_context")
        and verdict.method == "v2l"
    }
    assert outcomes == {"copy": "beats", "majority_vote": "loses", "shuffled_tokens": "beats"}
    (restoration,) = (s for s in sections(leaderboard) if s.suite == "restoration")
    assert ("v2l", ("majority_vote",)) in [(r.method, r.controls) for r in restoration.remarks]
    sentence = "v2l loses to majority vote on inpainting (every protocol) and deblurring"
    assert sentence in markdown(leaderboard, "title")


def test_a_table_without_a_claim_says_what_one_would_take(built):
    leaderboard = built(samples=6)
    at = INPAINTING["task"], INPAINTING["protocol"]
    (need,) = (need for need in leaderboard.needs if (need.task, need.protocol) == at)
    assert (need.samples, need.clusters, need.fewest) == (6, 3, 6)
    assert need.easiest >= need.fewest
    assert "6 samples in 3 clusters, and fewer than 6 clusters never could" in markdown(
        leaderboard, "title"
    )
    assert not any((n.task, n.protocol) == at for n in built(samples=40).needs)


def test_every_value_says_how_its_interval_was_found_or_why_it_has_none(built):
    leaderboard = built(samples=40)
    for row in leaderboard.rows:
        if row.kind != "reported" and row.value is not None:
            assert row.interval.startswith("none: ") == (row.low is None)
    distance = one(leaderboard, **INPAINTING, method="v2l", metric="fid[mini]")
    assert "no honest interval" in distance.interval
    text = markdown(leaderboard, "title")
    assert "fid[mini] without an interval: a Fréchet distance" in text
    assert leaderboard.to_json()["statistics"]["intervals"] in text


def test_controls_that_are_not_beaten_in_the_same_places_share_a_sentence():
    at = {"method": "v2l", "run": 1, "suite": "restoration", "task": "inpainting"}
    at |= {
        "metric": "psnr[rgb]",
        "difference": 0.0,
        "low": -1.0,
        "high": 1.0,
        "p": 1.0,
        "samples": 9,
    }
    verdicts = [
        Verdict(**at, control=control, protocol=protocol, outcome="ties")
        for control in ("copy", "majority_vote", "no_image")
        for protocol in ("oracle_context", "held_out_context")[: 1 if control == "copy" else 2]
    ]
    sentences = [remark_sentence(remark) for remark in remarks(verdicts, lambda *_: "")]
    assert sentences == [
        "v2l cannot be told from copy on inpainting (oracle_context).",
        "v2l cannot be told from majority vote and no image on inpainting (every protocol).",
    ]


def test_ten_methods_have_a_colour_each_on_page_and_in_plots():
    from frostbench.bench.leaderboard.plot import METHODS

    style = files("frostbench.bench.leaderboard").joinpath("templates/house.css").read_text()
    light, dark = (re.findall(r"--m\d+: (#\w+);", part) for part in style.split("@media", 1))
    assert light == list(METHODS)
    assert len(set(light)) == len(set(dark)) == COLOURS == 10


def test_verdicts_turn_with_a_metric_of_which_less_is_better(synthetic):
    run = synthetic(samples=40)
    manifest = run.manifest.with_task("inpainting", ranks_by="lpips[mini]")
    verdicts = build([changed(run, manifest=manifest)]).verdicts
    copied = next(v for v in verdicts if v.metric == "lpips[mini]" and v.control == "copy")
    assert copied.outcome == "beats"
    assert 0 < copied.low < copied.difference < copied.high


def test_one_run_has_one_manifest_and_several_have_a_list(synthetic):
    first, second = synthetic(samples=6), synthetic("b", samples=6, skill=0.4)
    assert build([first]).to_json()["manifest"]["seed"] == 0
    assert len(build([first, second]).to_json()["manifest"]) == 2


def test_the_same_method_in_two_runs_has_two_rows_ranked_together(synthetic):
    runs = [synthetic(samples=40), synthetic("b", samples=40, skill=0.5)]
    leaderboard = build(runs)
    good, bad = rows_of(leaderboard, **INPAINTING, method="v2l", metric="psnr[rgb]")
    assert (good.run, bad.run) == (1, 2)
    assert good.identity == bad.identity
    assert good.rank == Rank(1, 1)
    assert bad.rank == Rank(4, 4)
    labels = {
        line.name
        for section in sections(leaderboard)
        for table in section.tables
        for line in table.lines
    }
    assert {"v2l run 1", "v2l run 2"} <= labels


@pytest.mark.parametrize("part", ["seed", "data", "tasks"])
def test_other_seeds_data_or_settings_are_never_ranked_together(synthetic, part):
    run = synthetic(samples=6)
    other = {
        "seed": 5,
        "data": {"photo_crops": "00"},
        "tasks": run.manifest.with_task("inpainting", settings={"side": 32}).tasks,
    }
    leaderboard = build([run, changed(run, **{part: other[part]})])
    first, second = rows_of(leaderboard, **INPAINTING, method="v2l", metric="psnr[rgb]")
    assert first.identity != second.identity
    assert first.rank == second.rank
    assert first.rank.high <= 2


def test_metrics_of_other_networks_are_never_ranked_together(synthetic):
    run = synthetic(samples=6)
    backbones = dict(run.manifest.backbones)
    other = dataclasses.replace(backbones["perceptual"], sha256_before="00" * 32)
    leaderboard = build([run, changed(run, backbones=backbones | {"perceptual": other})])

    def identities(metric):
        found = rows_of(leaderboard, **INPAINTING, method="v2l", metric=metric)
        return {row.identity for row in found}

    assert len(identities("psnr[rgb]")) == 1
    assert len(identities("lpips[mini]")) == 2
    assert len(identities("fid[mini]")) == 2


def test_what_papers_report_stands_apart_with_its_source(built):
    leaderboard = built(samples=6)
    reported = rows_of(leaderboard, kind="reported")
    assert {row.method for row in reported} == {"v2l", "vqgan"}
    assert all(row.source and row.rank is None and row.low is None for row in reported)
    official = one(leaderboard, kind="reported", value=4.98)
    assert (official.method, official.metric, official.verified) == ("vqgan", "rFID vs val", True)
    assert one(leaderboard, kind="reported", value=91.2).verified is False


def test_no_run_is_refused():
    with pytest.raises(ValueError, match="needs at least one run"):
        build([])


def test_a_single_sample_has_values_and_no_ranks_apart(synthetic):
    leaderboard = build([synthetic(samples=1)])
    row = one(leaderboard, **INPAINTING, method="v2l", metric="psnr[rgb]")
    assert (row.low, row.high, row.rank) == (None, None, Rank(1, 2))
    distance = one(leaderboard, **INPAINTING, method="v2l", metric="fid[mini]")
    assert distance.reason == "1 scored sample is too few for fid[mini]."


def test_a_backbone_that_changed_is_named():
    found = frozen({"llm": BackboneFacts("", "", "", 1, "a" * 64, "b" * 64)})
    assert found.holds is False
    assert found.sentence == "Not frozen: llm changed during the run."


def test_the_head_tells_forwards_from_the_cache(synthetic):
    told = facts(1, synthetic(samples=6).manifest)
    assert told.frozen.holds
    assert told.cache[0].startswith(
        "v2l, vqgan: 262 images tokenized in 9 forwards, 1\u202f480 served"
    )
    assert dict(told.pairs)["wall time"] == "3 min 37 s"


def test_the_head_says_once_what_is_the_same_of_several(synthetic):
    known = synthetic(samples=6).manifest
    cache = facts(
        1, dataclasses.replace(known, tokenizer=dict.fromkeys("ba", known.tokenizer["v2l"]))
    ).cache
    assert [line.partition(":")[0] for line in cache] == ["a, b"]
    limits = (("u", "a_b", 40), ("u", "words", 40), ("u", "captioning", 50), ("r", "shift", 16))
    tasks = [
        dataclasses.replace(next(iter(known.tasks.values())), name=name, suite=suite, limit=limit)
        for suite, name, limit in limits
    ]
    entries = {task.name: task for task in tasks}
    pairs = dict(facts(1, dataclasses.replace(known, limit=None, tasks=entries)).pairs)
    assert pairs["samples"] == "at most, a task and protocol: u 40 (captioning 50), r 16"


def test_numbers_read_as_their_examples_say():
    results = doctest.testmod(numbers)
    assert (results.failed, results.attempted >= 5) == (0, True)


def test_a_run_that_touched_a_backbone_is_said_not_to_count(synthetic):
    manifest = dataclasses.replace(
        synthetic(samples=6).manifest,
        status="failed",
        violations=("method 'vqgan' wrote to the frozen backbone 'llm'.",),
    )
    assert facts(1, manifest).warning == (
        "This run failed, and its numbers do not count. "
        "method 'vqgan' wrote to the frozen backbone 'llm'."
    )


def test_runs_of_other_tasks_beside_it_do_not_keep_a_task_from_being_ranked(synthetic):
    run = synthetic(samples=6)
    manifest = run.manifest.with_task("inpainting", settings={"data": "photo_crops"})
    alone = {"photo_crops": manifest.data["photo_crops"]}
    runs = [changed(run, manifest=manifest), changed(run, manifest=manifest, data=alone)]
    leaderboard = build(runs)
    first, second = rows_of(leaderboard, **INPAINTING, method="v2l", metric="psnr[rgb]")
    assert first.identity == second.identity


def test_what_was_left_out_is_noted_and_what_failed_is_named(synthetic):
    manifest = dataclasses.replace(
        synthetic(samples=6).manifest,
        controls_left_out=(LeftOut("a", "shift", "ceiling", "has no decoder"),),
        notes=("lpips has no weights and is left out.",),
        failures=(Failure("no data.", task="shift"), Failure("no room.")),
    )
    told = facts(1, manifest)
    assert told.notes == (
        "lpips has no weights and is left out.",
        "shift: no ceiling of a, which has no decoder.",
    )
    assert told.failures == ("shift: no data.", "no room.")


def test_a_distance_of_damaged_features_is_refused(synthetic, tmp_path):
    run = open_run(Path(shutil.copytree(synthetic().folder, tmp_path / "run")))
    record = next(record for record in run.records() if record.features)
    first, second = (run.blob(name) for name in record.features["fid[mini]"])
    first.write_bytes(second.read_bytes())
    with pytest.raises(StoreError, match=f"{first.name} is damaged"):
        build([run])
